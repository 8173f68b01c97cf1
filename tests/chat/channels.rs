//! Joining and leaving, and which channels there are.

use crate::harness::number;
use crate::script::{play, play_with};
use parlor::limits::PUT_AWAY;
use parlor::testing::limits;

conversations! {
fn joined_lists_members_and_messages_and_then_subscribes() r##"
Ada enters tea
Ada > one
Ben enters
Ben > {"type":"join","channel":"#Tea","id":5}
Ben = {"type":"joined","id":5,"channel":"tea","seq":1,"first":1,"members":["Ada","Ben"],
 "count":2,"history":[{"type":"message","channel":"tea","from":"Ada","author":1,"text":"one",
 "seq":1,"at":$START}],"more":false}
cost 1
Ada > two
Ben < {"type":"message","text":"two"}"##

fn join_creates_a_channel_and_costs_five() r#"
Ada,Ben enters
Ada > /join Tea
Ada < {"type":"joined","channel":"tea","first":1,"seq":0,"history":[]}
cost 5
wait 250
Ben = {"type":"channels_changed","created":["tea"],"gone":[]}
Ben > /channels
Ben < {"type":"channels","channels":[{"name":"tea"},{"name":"general"}]}"#

fn joining_again_changes_nothing() r#"
Ada,Ben enters tea
Ada > one
wait 1000
skip
Ada > /join tea
Ada < {"type":"joined","count":2,"history":[{"seq":1}]}
cost 1
Ada > two
wait 1000
Ada,Ben types message
Ada > /leave tea
Ada ! not_in_channel {"type":"message","channel":"tea","text":"three"}"#

fn typed_lines_go_to_the_channel_joined_last() r#"
Ada enters tea chess
Ada > hello
Ada < {"type":"message","channel":"chess"}
Ada > /join tea
Ada > hello
Ada < {"type":"message","channel":"tea"}
Ada > /history
Ada < {"type":"history","channel":"tea"}
Ada > /leave
Ada < {"type":"left","channel":"tea"}
Ada > /me sighs
Ada < {"type":"message","channel":"chess"}
Ada > /leave
Ada < {"type":"left","channel":"chess"}
Ada ! not_in_channel hello
Ada ! not_in_channel /leave
Ada ! not_in_channel /me sighs
Ada ! not_in_channel /history"#

fn empty_channel_without_messages_is_removed() r#"
Ada enters tea chess general
Ada > {"type":"message","channel":"chess","text":"e4"}
wait 1000
skip
Ada > /leave tea
Ada > /leave chess
Ada > /leave general
wait 1000
Ada = {"type":"channels_changed","created":[],"gone":["tea"]}
Ada > /channels
Ada < {"type":"channels","channels":[{"name":"chess"},{"name":"general"}]}
Ada ! no_such_channel /who tea
Ada > /join chess
Ada < {"type":"joined","seq":1}"#

fn channels_are_listed_by_use() r#"
Ada enters tea chess rust
Ben enters general
Ben > /channels
Ben < {"type":"channels","channels":[{"name":"general","members":1,"seq":0},{"name":"rust"},
 {"name":"chess"},{"name":"tea"}]}
Ada + {"type":"message","channel":"tea","text":"hello"}
Ada + {"type":"message","channel":"rust","text":"hello"}
Ben > hello
Ben > /channels
Ben < {"type":"channels","channels":[{"name":"general","members":1,"seq":1},{"name":"rust"},
 {"name":"tea"},{"name":"chess"}]}"#
}

#[test]
fn look_alike_of_a_channel_is_a_bad_name() {
    let mut script = play(
        r#"
Ada enters music1
Ada > /join MUSIC1
Ada < {"type":"joined","channel":"music1"}
Ada ! bad_name /join -"#,
    );
    #[cfg(feature = "unicode")]
    for name in ["musicl", "musicI", "mu\u{455}ic1"] {
        let tab = script.tab("Ada");
        let answer = script.world.ask(tab, &format!("/join {name}"));
        assert_eq!(answer[0]["code"], "bad_name", "{name}");
        let message = answer[0]["message"].as_str().unwrap_or_default();
        assert!(message.contains("#music1"), "{message}");
        script.play(&format!("Ada ! no_such_channel /who {name}"));
    }
    script.play("channels 2");
}

#[test]
fn nothing_of_a_channel_follows_left() {
    let mut script = play(
        r#"
Ada enters tea chess
Ben enters tea
Ben + before
commit
skip
Ada > {"type":"leave","channel":"tea","id":4}
Ada = {"type":"left","channel":"tea","id":4}
Ada quiet
Ben > after
wait 1000"#,
    );
    let ada = script.tab("Ada");
    let received = script.world.take(ada);
    assert!(received.iter().all(|event| event["channel"] != "tea"));
    script.play(
        "
Ada ! not_in_channel /leave tea
Ada ! no_such_channel /leave coffee
Ada ! bad_name /leave -",
    );
}

#[test]
fn lost_connection_keeps_memberships_for_the_window() {
    let mut script = play(
        "
Ben enters tea chess rust
Ada enters tea chess rust go
Tab of Ada
Tab > /join rust
Ada drops",
    );
    for (what, tea, chess, rust) in [
        ("wait 20000", 2, 2, 2),
        ("Tab > /join tea\nTab > /leave rust", 2, 2, 1),
        ("wait 9999\nchannels 5", 2, 2, 1),
        ("wait 1\nchannels 4", 2, 1, 1),
        ("Tab quits", 1, 1, 1),
    ] {
        script.play(what);
        for (channel, count) in [("tea", tea), ("chess", chess), ("rust", rust)] {
            script.play(&format!(
                r#"
Ben > /who {channel}
Ben < {{"type":"users","channel":"{channel}","count":{count}}}"#
            ));
        }
    }
}

#[test]
fn connection_is_in_a_hundred_channels_at_most() {
    let mut script = play("Ada enters");
    for n in 0..100 {
        script.play(&format!("Ada > /join c{n}"));
    }
    script.play(
        "
Ada ! too_many_channels /join c100
Ada ! too_many_channels /join general
Ada > /join c5
Ada > /leave c7
Ada > /join general",
    );
}

#[test]
fn least_used_empty_channel_is_put_away_at_the_limit() {
    let mut script = play_with(limits(|it| it.channels = 4), "Ada,Ben enters");
    for channel in ["tea", "chess", "rust"] {
        script.play(&format!("Ada > /join {channel}\nAda > hello"));
    }
    // All but general have members, and general stays.
    script.play(
        r#"
Ben ! too_many_channels /join music
Ada > /leave chess
Ada > /leave tea
wait 1000
skip
Ben > /join music
wait 1000
Ben = {"type":"channels_changed","created":["music"],"gone":["tea"]}
Ben > /channels
Ben < {"type":"channels","channels":[{"name":"music"},{"name":"rust"},{"name":"chess"},
 {"name":"general"}]}
skip
Ada ! no_such_channel {"type":"history","channel":"tea"}
Ada ! no_such_channel /who tea
Ada ! no_such_channel /leave tea
Ada > /join tea
cost 5
Ada < {"type":"joined","seq":1,"history":[{"text":"hello"}]}
wait 1000
Ben = {"type":"channels_changed","created":["tea"],"gone":["chess"]}
Ada > again
Ada < {"type":"message","seq":2}"#,
    );
}

#[test]
fn ten_thousand_channels_are_put_away_at_most() {
    let limits = limits(|it| (it.channels, it.rate) = (2, 0));
    let mut script = play_with(limits, "Ada enters");
    let ada = script.tab("Ada");
    let world = &mut script.world;
    let mut visit = |channel: &str| {
        let seq = number(&world.ask_ok(ada, &format!("/join {channel}"))["seq"]);
        world.ask_ok(ada, "hello");
        world.ask_ok(ada, "/leave");
        world.take(ada);
        seq
    };
    for n in 0..=PUT_AWAY {
        visit(&format!("c{n}"));
    }
    // Of these, c0 to c9999 are put away. c0 comes back, and is later put away again as the newest
    // one.
    assert_eq!(visit("c0"), 1);
    visit("one-more");
    visit("and-another");
    assert_eq!(["c1", "c0", "c3", "c9"].map(visit), [0, 2, 0, 1]);
}
