//! Owners: the key, and what an owner's connection can do. The key is `key`.

use crate::script::{play, play_with};
use parlor::chat::event::Farewell;
use parlor::testing::limits;

conversations! {
fn own_takes_the_key_and_marks_messages() r#"
Ada,Ben enters tea
Tab of Ada
Tab > /join tea
Ada > {"type":"own","key":"key","id":1}
Ada = {"type":"owned","on":true,"muted":[],"kicked":[],"id":1}
cost 5
skip
Ada > please stop
Ben = {"type":"message","channel":"tea","from":"Ada","author":1,"text":"please stop","seq":1,
 "at":$START,"owner":true}
skip
Tab > another connection of the same user
Ben < {"type":"message","owner":null}
Ada > /msg Ben psst
Ben < {"type":"direct","owner":null}
Ben > /history
Ben < {"type":"history","messages":[{"seq":1,"owner":true},{"seq":2,"owner":null}]}
skip
Ada > {"type":"own","key":null}
Ada < {"type":"owned","on":false}
Ada > no longer
Ben < {"type":"message","owner":null}
Ada > /edit 1 please stop it
Ben < {"type":"edited","owner":null}
Ben > /history
Ben < {"type":"history","messages":[{"text":"please stop it","owner":null},{},{},{}]}
Eve ! hello_first {"type":"own","key":"key"}
Eve > /nick Eve
Eve ! bad_field {"type":"own","key":7}
Eve ! bad_key /own kez
Eve > /own key
Eve < {"type":"owned","on":true}"#

fn muted_user_can_read_and_not_write() r#"
Ada,Ben,Cleo enters tea
Two of Ben
Owner of Cleo
Ada,Owner > /own key
skip
Ben + just in time
Ada + {"type":"mute","user":"Ben","minutes":10,"id":7}
Ben + too late
commit
Ada = {"type":"muted","user":"Ben","until":1700000600000,"id":7}
Ben < {"type":"error","code":"muted","retry_ms":600000}
Ben,Two,Owner = {"type":"muted","user":"Ben","until":1700000600000}
Ben < {"type":"error","code":"muted","retry_ms":600000}
Ada,Ben,Two,Cleo,Owner quiet
Ben ! muted hello
Ben ! muted /msg Ada hello
Ben ! muted /nick Dan
Ben ! muted /join new
Ben ! muted {"type":"typing","channel":"tea"}
Two > /join tea
Two ! muted hello
Ada > be quiet
Ben < {"type":"message","text":"be quiet"}
Ben drops
Two quits
wait 40000
Tab > {"type":"hello","name":"Ben","session":"$Ben"}
Tab > /join tea
Tab ! muted hello
Cleo ! not_owner /mute Ada 1
Owner > /own key
Owner < {"type":"owned","muted":[{"user":"Ben","until":1700000600000}],"kicked":[]}
Tab > /own key
Tab > I hold the key, too
Tab > /own
Tab ! muted no more
Ada > /mute ben 0
Ada,Tab < {"type":"muted","user":"Ben","until":0}
Tab > hello
Ada > /mute Ben 1
wait 59999
Tab ! muted hello
wait 1
Tab > it ends by itself
Ada > /own key
Ada < {"type":"owned","muted":[]}"#

fn closed_door_lets_only_known_sessions_in() r#"
Ada,Ben enters
Ada > /own key
skip
Ada > {"type":"door","open":false,"id":1}
Ada = {"type":"door","open":false,"id":1}
Ben = {"type":"door","open":false}
Eve ! door_closed /nick Eve
Eve ! door_closed {"type":"hello","name":"Ada"}
Eve ! bad_key {"type":"hello","name":"Eve","key":"kez"}
Ben drops
wait 60000
online 1
Ben > {"type":"hello","name":"Ben","session":"$Ben"}
Ben < {"type":"welcome","author":2,"door":false}
Cleo > {"type":"hello","name":"Cleo","key":"key"}
Cleo > /own key
Cleo > /door open
Ada,Ben < {"type":"door","open":true}
Eve > /nick Eve
Eve < {"type":"welcome","door":true}"#

fn writing_can_be_for_owners_or_slow() r#"
Ada,Ben enters tea
Cleo enters
Tab of Ada
Tab > /own key
skip
Tab > {"type":"writing","channel":"tea","who":"owner","id":1}
Tab = {"type":"channel_changed","channel":"tea","writing":"owner","pinned":null,"id":1}
Ada,Ben = {"type":"channel_changed","channel":"tea","writing":"owner","pinned":null}
Cleo quiet
Ben ! read_only hello
Ada ! read_only hello
Tab > /join tea
Tab < {"type":"joined","writing":"owner"}
Tab > listen
Ben < {"type":"message","text":"listen","owner":true}
Tab > /writing tea 30
Tab > one
Tab > two
Ben > {"type":"message","channel":"tea","text":"hello","nonce":"n"}
skip
Ben + {"type":"message","channel":"tea","text":"hello again","id":2}
Ben < {"type":"error","code":"slow","retry_ms":30000,"id":2}
Ben > {"type":"message","channel":"tea","text":"hello","nonce":"n","id":3}
Ben = {"type":"ack","channel":"tea","seq":4,"at":$START,"id":3}
Ada,Tab quiet
Ben > /leave
Ben > /join tea
wait 29999
Ben ! slow hello
Ada > mine
wait 1
Ben > hello
Cleo > /join tea
Cleo < {"type":"joined","writing":30}
Tab > /writing all
Ada > at
Ada > will
skip
Cleo > /join tea
Cleo < {"type":"joined","writing":null}"#

fn cleared_channel_has_no_messages_and_its_numbers_go_on() r#"
Ada,Ben enters tea
Cleo enters
Ada > one
Ben > two
Cleo > /own key
skip
Cleo > {"type":"clear","channel":"tea","id":1}
Cleo = {"type":"cleared","channel":"tea","first":3,"id":1}
Ada,Ben = {"type":"cleared","channel":"tea","first":3}
Ben > /history
Ben < {"type":"history","messages":[],"more":false,"first":3}
Ben > three
Ben < {"type":"message","seq":3}
Cleo > {"type":"join","channel":"tea","since":1}
Cleo < {"type":"joined","seq":3,"first":3,"history":[{"seq":3}]}
Cleo > /clear
Cleo < {"type":"cleared","first":4}"#

fn removed_channel_is_left_and_its_name_is_free() r#"
Ada,Ben,Dan enters general tea
Cleo enters
Ada > one
Cleo > /own key
Cleo > /writing tea owner
Dan drops
wait 250
skip
Ada + /own key
Ada + not sent
Cleo + {"type":"remove_channel","channel":"tea","id":1}
commit
Cleo = {"type":"left","channel":"tea","id":1}
Ben = {"type":"left","channel":"tea"}
Ada types owned error left
channels 1
wait 250
Ben,Ada,Cleo = {"type":"channels_changed","created":[],"gone":["tea"]}
Ben ! no_such_channel {"type":"message","channel":"tea","text":"a"}
Ben ! no_such_channel {"type":"history","channel":"tea"}
Ben > still in general
Ada < {"type":"message","channel":"general"}
skip
Ben > {"type":"join","channel":"tea","since":1}
Ben < {"type":"joined","members":["Ben"],"count":1,"history":[],"seq":1,"first":2,"writing":null}
Ben > two
Ben < {"type":"message","seq":2}
Ben > /join blank
Cleo > /remove blank
Ben > /join blank
Ben > /leave blank
channels 2"#
}

#[test]
fn owners_commands_are_for_owners() {
    let commands = [
        "/mute Ben 1",
        "/kick Ben 1",
        "/door closed",
        "/writing tea owner",
        "/pin 1",
        "/clear tea",
        "/remove tea",
    ];
    let mut script = play("Ada,Ben enters tea\nTab of Ada\nTab > /own key\nskip");
    for command in commands {
        script.play(&format!("Ada ! not_owner {command}"));
    }
    script.play("Ada,Ben quiet\nTab > {\"type\":\"own\"}");
    for command in commands {
        script.play(&format!("Tab ! not_owner {command}"));
    }
    script.play(
        r#"
Tab > /own key
Tab ! no_such_user /mute Eve 1
Tab ! bad_name /kick - 1
Tab ! bad_field /mute Ada 1
Tab ! bad_field /kick Ada 0
Tab ! no_such_channel /writing coffee all
Tab ! no_such_channel /clear coffee
Tab ! no_such_channel /remove coffee
Tab ! bad_field /remove general
Tab ! not_in_channel /clear
Tab ! not_in_channel /writing owner"#,
    );
}

#[test]
fn kicked_user_is_gone_at_once_and_comes_back_later() {
    let mut script = play(
        r#"
Ada,Ben,Cleo enters tea
Two of Ben
Two > /join chess
Ada,Cleo > /own key
wait 500
skip
Ben + never sent
Ada + {"type":"kick","user":"Ben","minutes":10,"id":7}
commit
Ada = {"type":"kicked","user":"Ben","until":1700000600500,"id":7}
Cleo = {"type":"kicked","user":"Ben","until":1700000600500}
online 2
channels 2
wait 250
Ada < {"type":"members","channel":"tea","left":["Ben"],"count":2}
Ada < {"type":"presence","left":["Ben"],"online":2}
Cleo < {"type":"channels_changed","gone":["chess"]}"#,
    );
    for name in ["Ben", "Two"] {
        let tab = script.tab(name);
        assert_eq!(script.world.farewell(tab), Some(Farewell::Removed));
    }
    script.play(
        r#"
Ben,Two drops
New ! kicked {"type":"hello","name":"Ben","session":"$Ben"}
Eve > /nick Ben
Ada > /own key
Ada < {"type":"owned","kicked":[{"user":"Ben","until":1700000600500}]}
wait 599749
New ! kicked {"type":"hello","name":"Dan","session":"$Ben"}
wait 1
New > {"type":"hello","name":"Dan","session":"$Ben"}
New < {"type":"welcome","author":2}
Ada > /kick Dan 5
New drops
New ! kicked {"type":"hello","name":"Dan","session":"$Ben"}
skip
Ada > /kick Dan 0
Ada < {"type":"kicked","user":"Dan","until":0}
New > {"type":"hello","name":"Dan","session":"$Ben"}
wait 40000
online 4
Ada > /kick Dan 0
New drops
online 3
New > {"type":"hello","name":"Dan","session":"$Ben"}
New > /join tea
New drops
Ada > /kick Dan 0
online 3
New > {"type":"hello","name":"Dan","session":"$Ben"}
wait 60000
online 4"#,
    );
}

#[test]
fn list_of_sanctions_is_bounded() {
    let mut script = play_with(limits(|it| it.rate = 0), "Ada enters\nAda > /own key");
    for n in 0..1_000 {
        script.play(&format!("u{n} enters\nAda > /mute u{n} {}", 1 + n % 2));
    }
    script.play("Ben enters\nAda ! bad_field /mute Ben 1\nAda > /mute u7 2\nwait 60000");
    script.play("Ada > /mute Ben 1");
}
