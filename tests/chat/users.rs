//! Names of users, `rename`, and the events `presence`, `members` and `channels_changed`. `random`
//! checks that the lists stay right.

use crate::harness::list;
use crate::script::{play, play_with};
use parlor::testing::limits;

conversations! {
fn renamed_goes_to_everyone_and_costs_twenty() r#"
Ada,Ben enters
Tab of Ada
skip
Ada > {"type":"rename","name":"Eve","id":3}
cost 20
Ada = {"type":"renamed","from":"Ada","to":"Eve","id":3}
Tab,Ben = {"type":"renamed","from":"Ada","to":"Eve"}
Ada,Tab,Ben quiet
Ben > /nick Ada
skip
Ada ! name_taken /nick ada
cost 1
Ada ! bad_name /nick -
cost 1
Ada > /nick EVE
Ada < {"type":"renamed","from":"Eve"}
skip
Ada > /nick EVE
cost 1
Ada = {"type":"renamed","from":"EVE","to":"EVE"}
Ben quiet
Ben ! name_taken /nick eve"#

fn rename_frees_the_old_name_at_once() r#"
Ada,Ben enters tea
Ada > one
Ada > /nick Eve
skip
Ben ! no_such_user /msg Ada hello
Ben > /nick ada
Ada > two
Ada > /history
Ada < {"type":"history","messages":[{"from":"Ada","author":1},{"from":"Eve","author":1}]}"#

fn rename_is_followed_by_both_names_in_the_lists() r#"
Ada,Ben enters tea
wait 1000
Ada > /nick Eve
skip
wait 250
Ben = {"type":"presence","joined":["Eve"],"left":["Ada"],"online":2}
Ben = {"type":"members","channel":"tea","joined":["Eve"],"left":["Ada"],"count":2}
Ben quiet"#

#[cfg(feature = "unicode")]
fn look_alike_names_are_taken_and_the_second_key_decides() "
Ada,lda enters
Ben ! name_taken /nick \u{410}d\u{430}
Ben ! name_taken /nick Ida
Ben ! name_taken /nick 1da
Ada > /msg Lda hello
lda types direct"

fn presence_comes_after_a_quarter_of_a_second() r#"
Ada enters
wait 1000
skip
Ben,Cleo enters
wait 249
Ada quiet
wait 1
Ada = {"type":"presence","joined":["Ben","Cleo"],"left":[],"online":3}
Ben quits
Dan enters
wait 250
Ada = {"type":"presence","joined":["Dan"],"left":["Ben"],"online":3}
Cleo quits
Eve,Cleo enters
wait 250
Ada = {"type":"presence","joined":["Cleo","Eve"],"left":[],"online":4}
Ada quiet"#

/// The count changes though the only name is the same.
fn count_is_sent_when_a_name_passes_to_another_user() r#"
Ada,Ben enters tea
wait 1000
skip
Ben quits
Cleo enters tea
Cleo > /nick Ben
wait 250
Ada < {"type":"presence","joined":["Ben"],"left":["Cleo"],"online":2}
Ada < {"type":"members","count":2}"#

fn members_are_sent_to_the_members() r#"
Ada enters tea
Ben enters general
wait 1000
skip
Cleo enters tea
wait 250
Ada,Cleo = {"type":"members","channel":"tea","joined":["Cleo"],"left":[],"count":2}
Ada,Ben,Cleo types presence
Tab of Cleo
Tab > /join tea
Cleo drops
skip
wait 60000
Ada quiet
Tab > /leave tea
wait 250
Ada = {"type":"members","channel":"tea","joined":[],"left":["Cleo"],"count":1}"#
}

#[test]
fn changes_are_sent_at_most_four_times_a_second() {
    let mut script = play("Ada enters general\nwait 1000\nskip");
    for n in 0..100 {
        script.play(&format!("user{n} enters general channel{n}\nwait 20"));
    }
    let ada = script.tab("Ada");
    let events = script.world.take(ada);
    for kind in ["presence", "members", "channels_changed"] {
        let times = events.iter().filter(|event| event["type"] == kind).count();
        assert!((7..=8).contains(&times), "{times} times {kind}");
    }
}

#[test]
fn more_than_500_changes_are_sent_as_a_count() {
    let mut script = play("Ada enters tea\nwait 1000\nskip");
    let names: Vec<_> = (0..500).map(|n| format!("user{n}")).collect();
    let names = names.join(",");
    script.play(&format!("{names} enters tea\nwait 250"));
    let ada = script.tab("Ada");
    let events = script.world.take(ada);
    let lengths = events.iter().map(|event| list(&event["joined"]).len());
    assert!(lengths.eq([500, 500]));
    script.play(&format!(
        r#"
Ben enters tea
{names} quits
wait 250
Ada = {{"type":"presence","joined":[],"left":[],"online":2}}
Ada = {{"type":"members","channel":"tea","joined":[],"left":[],"count":2}}
Ada quiet"#
    ));
}

#[test]
fn users_that_left_leave_nothing_behind() {
    let mut script = play_with(limits(|it| it.rate = 0), "");
    for round in 0..50 {
        for n in 0..20 {
            script.play(&format!("r{round}u{n} enters general c{n}"));
        }
        for n in 0..20 {
            script.play(&format!(
                r#"
r{round}u{n} > /nick r{round}v{n}
r{round}u{n} > {{"type":"typing","channel":"general"}}
r{round}u{n} {end}"#,
                end = ["drops", "quits"][n % 2]
            ));
        }
        script.world.connect();
    }
    script.play("wait 33000\nonline 0\nkept 0\nchannels 1");
    assert_eq!(script.world.chat.next_deadline(), None);
}
