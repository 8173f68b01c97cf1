//! Conversations: private messages between two sessions.

use crate::script::play;

conversations! {
fn direct_reaches_every_connection_of_both() r#"
Ada,Cleo enters tea
Ben enters
Tab of Ben
skip
Ada > {"type":"direct","to":"ben","text":"psst","nonce":"n","id":2}
Ada,Ben,Tab = {"type":"direct","conversation":"c1-3","from":"Ada","author":1,"to":"Ben",
 "text":"psst","seq":1,"at":$START,"nonce":"n"}
Ada = {"type":"ack","id":2,"conversation":"c1-3","to":"Ben","seq":1,"at":$START}
Ada > {"type":"direct","to":"ben","text":"psst","nonce":"n","id":3}
Ada = {"type":"ack","id":3,"conversation":"c1-3","to":"Ben","seq":1,"at":$START}
Ada,Ben,Tab,Cleo quiet"#

fn conversation_goes_on_under_other_names() r#"
Ada,Ben enters
Ada > /msg Ben one
Ada < {"type":"direct","conversation":"c1-2","seq":1}
Ben > /nick Benedict
Ben > /msg Ada two
Ada < {"type":"direct","conversation":"c1-2","seq":2}
Ada > {"type":"direct","conversation":"c1-2","text":"three"}
Ada < {"type":"direct","seq":3,"from":"Ada","to":"Benedict"}"#

fn message_to_oneself_comes_once() r#"
Ada enters
Tab of Ada
skip
Ada > {"type":"direct","to":"Ada","text":"milk","id":1}
Tab types direct
Ada < {"type":"ack","to":"Ada"}
Ada types direct
Back of Ada
Back < {"type":"welcome","directs":[{"conversation":"c1-1","with":"Ada","seq":1,"online":true}]}
Ada,Tab,Back quits
Eve > {"type":"hello","name":"Eve","session":"$Ada"}
Eve < {"type":"welcome","directs":[{"with":"Eve","seq":1,"online":true}]}"#

fn conversation_reaches_a_user_who_is_offline() r#"
Ada,Ben enters
Ada > /msg Ben one
Ben quits
Ada ! no_such_user /msg Ben two
skip
Ada > {"type":"direct","conversation":"c1-2","text":"two"}
Ada < {"type":"direct","to":"Ben"}
Bob > {"type":"hello","name":"Bob","session":"$Ben"}
Bob < {"type":"welcome","directs":[{"conversation":"c1-2","with":"Ada","seq":2,"online":true}]}
Bob > {"type":"history","conversation":"c1-2","after":1}
Bob < {"type":"history","messages":[{"type":"direct","text":"two"}]}"#

fn typing_in_a_conversation_reaches_the_other_one() r#"
Ada,Ben enters
Ada > /msg Ben hello
skip
Ada > {"type":"typing","conversation":"c1-2"}
Ada > {"type":"typing","conversation":"c1-2"}
Ben = {"type":"typing","conversation":"c1-2","user":"Ada"}
Ada,Ben quiet
Ben quits
wait 2000
skip
Ada > {"type":"typing","conversation":"c1-2"}
Ada quiet"#

fn message_is_kept_for_a_user_who_quits_in_its_turn() r#"
Ada,Ben enters
Ada + /msg Ben wait
Ben quits
wait 60000
Ben > {"type":"hello","name":"Ben","session":"$Ben"}
Ben < {"type":"welcome","author":2,"directs":[{"with":"Ada"}]}"#
}

#[test]
fn conversation_is_closed_to_other_users() {
    let mut script = play("Ada,Ben,Cleo enters\nAda > /msg Ben hello");
    for kind in [r#""direct","text":"hello""#, r#""typing""#, r#""history""#] {
        let request = |of: &str| format!(r#"{{"type":{kind},"conversation":"{of}"}}"#);
        let known = request("c1-2");
        script.play(&format!(
            "Cleo ! no_such_conversation {known}\nBen > {known}"
        ));
        // Ada and Cleo have no conversation before the first message.
        for unknown in ["c1-3", "nonsense"] {
            script.play(&format!("Ada ! no_such_conversation {}", request(unknown)));
        }
    }
}

#[test]
fn directs_are_listed_newest_first_with_the_last_name() {
    let mut script = play(
        r#"
Ada,Ben,Cleo,Dan enters
Ada > {"type":"direct","to":"Dan","text":"zero","nonce":"n"}
Ada > /msg Ben one
Ada > /msg Cleo one
Ada > /msg Dan one
Ada > /msg Ben two
Ada > {"type":"direct","to":"Dan","text":"zero","nonce":"n"}
Ben > /nick Benedict
Cleo quits
Dan drops
Tab of Ada
Tab < {"type":"welcome","directs":[{"with":"Benedict","seq":2,"online":true},
 {"with":"Dan","seq":2,"online":true},{"with":"Cleo","seq":1,"online":false}]}"#,
    );
    for n in 0..210 {
        script.play(&format!("user{n} enters\nAda > /msg user{n} hello"));
    }
    script.play("Last of Ada");
    let tab = script.tab("Last");
    let directs = &script.world.take(tab)[0]["directs"];
    assert_eq!(directs.as_array().map(Vec::len), Some(200));
    assert_eq!(directs[0]["with"], "user209");
}
