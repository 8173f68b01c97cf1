//! `search`: the messages found, their order, and answers in several turns.

use crate::harness::{list, seqs, text};
use crate::script::play;
use serde_json::json;

conversations! {
fn search_finds_channels_and_own_conversations() r#"
Ada,Ben,Cleo enters tea
Ada > The Kettle boils
wait 1
Ben > /msg Cleo kettle secret
wait 1
Cleo > /msg Ada KETTLE for two
wait 1
Ben > /join chess
Ben > no kettle here
Ada > /react 1 👍
skip
Ada > {"type":"search","text":"kettle","id":1}
Ada < {"type":"found","id":1,"more":false,"before":null,"results":[
 {"type":"message","channel":"chess","text":"no kettle here"},
 {"type":"direct","text":"KETTLE for two"},
 {"type":"message","channel":"tea","text":"The Kettle boils","reactions":[{"mine":true}]}]}
cost 5
Ben > {"type":"search","text":"ttle b","channel":"tea"}
Ben < {"type":"found","results":[{"seq":1,"reactions":[{"mine":false}]}]}
Ben > /search 👍
Ben < {"type":"found","results":[],"more":false}
Ben ! empty {"type":"search","text":" "}
Ben ! no_such_channel {"type":"search","text":"x","channel":"coffee"}
Cleo ! no_such_conversation {"type":"search","text":"x","conversation":"c1-2"}
Ben ! bad_field {"type":"search","text":"x","before":"17"}
Ada,Ben quiet"#
}

#[test]
fn search_goes_on_where_the_answer_before_ended() {
    let mut script = play("Ada,Ben enters a b c\nCleo enters a b");
    let ada = script.tab("Ada");
    let mut expected = Vec::new();
    for n in 0..60_u64 {
        let channel = ["a", "b", "c"][n as usize % 3];
        let word = if n % 5 == 0 { "nothing" } else { "needle" };
        let say = json!({"type": "message", "channel": channel, "text": format!("{word} {n}")});
        script.world.ask_ok(ada, &say.to_string());
        if word == "needle" {
            expected.insert(0, format!("needle {n}"));
        }
        // Several messages have the same time.
        if n % 4 == 3 {
            script.world.advance(1);
        }
    }
    for limit in [1, 7, 48, 50] {
        let mut found = std::collections::BTreeSet::new();
        let mut query = json!({"type": "search", "text": "needle", "limit": limit});
        loop {
            let answer = script.world.ask_ok(ada, &query.to_string());
            let results = list(&answer["results"]);
            assert!(results.len() <= limit);
            let before = found.len();
            found.extend(results.iter().map(|it| text(&it["text"])));
            assert_eq!(found.len(), before + results.len(), "none comes twice");
            let times: Vec<_> = results.iter().map(|it| it["at"].as_u64()).collect();
            assert!(times.is_sorted_by(|one, other| one >= other));
            if answer["more"] == false {
                break;
            }
            query["before"] = answer["before"].clone();
            script.world.advance(1_000);
        }
        assert_eq!(found, expected.iter().cloned().collect(), "limit {limit}");
    }
    let one = r#"{"type":"search","text":"needle","channel":"b","limit":3}"#;
    assert_eq!(
        seqs(&script.world.ask_ok(ada, one)["results"]),
        [20, 18, 17]
    );
}

#[test]
fn search_of_many_channels_takes_turns() {
    let mut script = play("Ada,Ben enters tea");
    for n in 1..100 {
        script.play(&format!("Ada > /join a{n}\nBen > /join b{n}"));
    }
    script.play(
        r#"
skip
Ada > {"type":"search","text":"x","id":1}
Ada quiet
commit
Ada < {"type":"found","results":[],"more":false,"id":1}"#,
    );
}

/// Each message is about 4 KB, so a slice reads about thirty.
#[test]
fn long_search_takes_turns_and_sees_changes() {
    let mut script = play("Ada,Ben enters tea\nAda > needle one");
    for n in 0..120 {
        script.play(&format!("Ada > {n} {}", "x".repeat(3_900)));
    }
    script.play(
        r#"
Ada > needle two
skip
Ben > {"type":"search","text":"needle","id":1}
Ben quiet
Ada > /delete 122
Ada > /edit 1 haystack
Ben types deleted edited
commit
commit
Ben = {"type":"found","results":[],"more":false,"before":null,"id":1}
Ben > {"type":"search","text":"xxx","limit":2,"id":2}
Ben < {"type":"found","more":true,"id":2}
Ben > {"type":"search","text":"haystack","id":3}
Ben > {"type":"search","text":"99 x","id":4}
Ben < {"type":"found","results":[],"more":true,"id":3}
commit
commit
commit
commit
Ben < {"type":"found","results":[{"seq":101}],"more":false,"id":4}
Ben > {"type":"search","text":"haystack"}
Ben drops
commit"#,
    );
    assert!(!script.world.chat.is_searching(), "its connection is gone");
}
