//! Pages of messages, by `history` and `join`, and `who`, which needs no membership.

use crate::harness::seqs;
use crate::script::play;

conversations! {
fn who_lists_users_online_or_in_any_channel() r#"
Ada enters tea
Ben enters chess
Ben > /who
Ben = {"type":"users","users":["Ada","Ben"],"count":2}
Ben > {"type":"who","channel":"TEA","id":7}
Ben = {"type":"users","channel":"tea","users":["Ada"],"count":1,"id":7}
Ada > /who general
Ada = {"type":"users","channel":"general","users":[],"count":0}
Ada ! no_such_channel /who coffee
Ada ! bad_name /who -"#
}

#[test]
fn join_and_history_return_pages() {
    let mut script = play("Ada enters tea\nBen enters");
    for n in 0..300 {
        script.play(&format!("Ada > message {n}"));
    }
    let ben = script.tab("Ben");
    // The command and its fields, the first and the last number, and `more`.
    let table = r#"
        join                           251 300 true
        join,"since":0                   1 200 true
        join,"since":99                100 299 true
        join,"since":100               101 300 false
        join,"since":299               300 300 false
        join,"since":300                 1   0 false
        join,"since":301                 1   0 false
        join,"since":9007199254740991    1   0 false
        history                        251 300 true
        history,"limit":10             291 300 true
        history,"limit":200            101 300 true
        history,"before":51              1  50 false
        history,"before":52              2  51 true
        history,"before":11,"limit":5    6  10 true
        history,"after":5                6  55 true
        history,"after":250            251 300 false
        history,"after":0,"limit":1      1   1 true
        history,"before":1               1   0 false
        history,"before":0               1   0 false
        history,"after":300              1   0 false
        history,"after":1000             1   0 false"#;
    for row in table.trim().lines() {
        let words: Vec<_> = row.split_whitespace().collect();
        let (kind, fields) = words[0].split_once(',').unwrap_or((words[0], r#""x":0"#));
        let request = format!(r#"{{"type":"{kind}","channel":"TEA",{fields}}}"#);
        let answer = script.world.ask_ok(ben, &request);
        let messages = answer.get("messages").unwrap_or(&answer["history"]);
        let [first, last] = [1, 2].map(|n| words[n].parse::<u64>().expect(row));
        assert!(seqs(messages).into_iter().eq(first..=last), "{row}");
        assert_eq!(answer["more"].to_string(), words[3], "{row}");
        assert!(answer["first"] == 1 && answer["channel"] == "tea", "{row}");
        assert!(kind == "history" || answer["seq"] == 300, "{row}");
    }
    script.play(
        r#"
skip
Ben > {"type":"history","channel":"general"}
Ben = {"type":"history","channel":"general","messages":[],"more":false,"first":1}
Ben ! no_such_channel {"type":"history","channel":"coffee"}
Ben ! bad_name {"type":"history","channel":"-"}"#,
    );
}

#[test]
fn page_is_limited_in_bytes_but_has_one_message() {
    let mut script = play("Ada enters tea\nBen enters");
    let text = "ä".repeat(4_000);
    for _ in 0..100 {
        script.play(&format!("Ada > {text}"));
    }
    let ben = script.tab("Ben");
    let world = &mut script.world;
    world.say_within(
        ben,
        r#"{"type":"join","channel":"tea","since":0}"#,
        usize::MAX,
    );
    let joined = world.take(ben).remove(0);
    let bytes = joined.to_string().len();
    assert!((240 << 10..256 << 10).contains(&bytes), "{bytes} bytes");
    assert!(joined["more"] == true && joined["history"][0]["seq"] == 1);
    let newest = r#"{"type":"history","channel":"tea"}"#;
    let after = r#"{"type":"history","channel":"tea","after":7}"#;
    for (request, page_bytes, expected) in [
        (after, 0, vec![8]),
        (after, 8_300, vec![8]),
        (after, 17_000, vec![8, 9]),
        (newest, 0, vec![100]),
    ] {
        world.say_within(ben, request, page_bytes);
        let history = world.take(ben).remove(0);
        assert_eq!(seqs(&history["messages"]), expected);
        assert_eq!(history["more"], true);
    }
}
