//! Conversations: private messages between two sessions.

use crate::harness::{START, World, hello_again, list, text};
use parlor::chat::Departure;
use serde_json::{Value, json};

fn direct(conversation: &str, text: &str) -> String {
    json!({"type": "direct", "conversation": conversation, "text": text}).to_string()
}

#[test]
fn direct_reaches_every_connection_of_both() {
    let mut world = World::new();
    let [ada, cleo] = [world.enter("Ada", &["tea"]), world.enter("Cleo", &["tea"])];
    let (ben, session) = world.hello("Ben");
    let ben2 = world.resume(&session);
    world.take_from(&[ben, ben2, cleo]);
    let send =
        |id: u64| format!(r#"{{"type":"direct","to":"ben","text":"psst","nonce":"n","id":{id}}}"#);
    let answer = world.ask(ada, &send(2));
    let conversation = &answer[0]["conversation"];
    let direct = json!({"type": "direct", "conversation": conversation, "from": "Ada", "author": 1,
        "to": "Ben", "text": "psst", "seq": 1, "at": START, "nonce": "n"});
    let ack = |id: u64| {
        json!({"type": "ack", "id": id, "conversation": conversation, "to": "Ben", "seq": 1,
            "at": START})
    };
    assert_eq!(answer, [direct.clone(), ack(2)]);
    assert_eq!(
        [world.take(ben), world.take(ben2)],
        [[direct.clone()], [direct]]
    );
    assert!(world.take(cleo).is_empty());
    assert_eq!(world.ask(ada, &send(3)), [ack(3)], "the nonce is known");
}

#[test]
fn conversation_goes_on_under_other_names() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let first = world.ask_ok(ada, "/msg Ben one");
    let conversation = text(&first["conversation"]);
    world.ask_ok(ben, "/nick Benedict");
    let second = world.ask_ok(ben, "/msg Ada two");
    assert_eq!(second["conversation"], first["conversation"]);
    let third = world.ask_ok(ada, &direct(&conversation, "three"));
    assert_eq!([&first["seq"], &second["seq"], &third["seq"]], [1, 2, 3]);
    assert_eq!(
        (&third["from"], &third["to"]),
        (&json!("Ada"), &json!("Benedict"))
    );
}

#[test]
fn conversation_is_open_to_its_two_only() {
    let mut world = World::new();
    let [ada, ben, cleo] = ["Ada", "Ben", "Cleo"].map(|name| world.enter(name, &[]));
    let conversation = text(&world.ask_ok(ada, "/msg Ben hello")["conversation"]);
    for kind in [r#""direct","text":"hello""#, r#""typing""#, r#""history""#] {
        let request = |of: &str| format!(r#"{{"type":{kind},"conversation":"{of}"}}"#);
        assert_eq!(
            world.error(cleo, &request(&conversation)),
            "no_such_conversation"
        );
        world.ask_ok(ben, &request(&conversation));
        // Ada and Cleo have no conversation before the first message.
        let made_up = conversation.replace('2', "3");
        for unknown in [&made_up, "nonsense"] {
            assert_eq!(
                world.error(ada, &request(unknown)),
                "no_such_conversation",
                "{kind}"
            );
        }
    }
}

#[test]
fn message_to_oneself_comes_once() {
    let mut world = World::new();
    let (tab, session) = world.hello("Ada");
    let other = world.resume(&session);
    world.take_from(&[tab, other]);
    let answer = world.ask(tab, r#"{"type":"direct","to":"Ada","text":"milk","id":1}"#);
    assert_eq!((answer.len(), &answer[1]["to"]), (2, &json!("Ada")));
    assert_eq!(world.take(other).len(), 1);
    let row = |name: &str| {
        json!([{"conversation": answer[0]["conversation"], "with": name, "seq": 1,
            "online": true}])
    };
    let back = world.resume(&session);
    assert_eq!(world.take(back)[0]["directs"], row("Ada"));
    for tab in [tab, other, back] {
        world.quit(tab);
    }
    let tab = world.connect();
    let welcome = world.ask_ok(tab, &hello_again("Eve", &session));
    assert_eq!(welcome["directs"], row("Eve"), "with the name of now");
}

#[test]
fn conversation_reaches_a_user_who_is_offline() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    let (ben, session) = world.hello("Ben");
    let conversation = text(&world.ask_ok(ada, "/msg Ben one")["conversation"]);
    world.quit(ben);
    assert_eq!(world.error(ada, "/msg Ben two"), "no_such_user");
    assert_eq!(
        world.ask_ok(ada, &direct(&conversation, "two"))["to"],
        "Ben"
    );
    let tab = world.connect();
    let welcome = world.ask_ok(tab, &hello_again("Bob", &session));
    let row = json!({"conversation": conversation, "with": "Ada", "seq": 2, "online": true});
    assert_eq!(welcome["directs"], json!([row]));
    let request = json!({"type": "history", "conversation": conversation, "after": 1});
    let history = world.ask_ok(tab, &request.to_string());
    let message = &history["messages"][0];
    assert_eq!(
        (&message["text"], &message["type"]),
        (&json!("two"), &json!("direct"))
    );
}

#[test]
fn directs_are_listed_newest_first_with_the_last_name() {
    let mut world = World::new();
    let (ada, session) = world.hello("Ada");
    let [ben, cleo, dan] = ["Ben", "Cleo", "Dan"].map(|name| world.enter(name, &[]));
    let repeated = r#"{"type":"direct","to":"Dan","text":"zero","nonce":"n"}"#;
    for line in [
        repeated,
        "/msg Ben one",
        "/msg Cleo one",
        "/msg Dan one",
        "/msg Ben two",
    ] {
        world.ask_ok(ada, line);
    }
    world.ask(ada, repeated);
    world.ask_ok(ben, "/nick Benedict");
    world.quit(cleo);
    world.drop(dan);
    let tab = world.resume(&session);
    let directs = world.take(tab)[0]["directs"].clone();
    let rows: Vec<_> = list(&directs)
        .iter()
        .map(|row| json!([row["with"], row["seq"], row["online"]]))
        .collect();
    let expected = json!([["Benedict", 2, true], ["Dan", 2, true], ["Cleo", 1, false]]);
    assert_eq!(Value::Array(rows), expected);
    for n in 0..210 {
        world.enter(&format!("user{n}"), &[]);
        world.ask_ok(ada, &format!("/msg user{n} hello"));
    }
    let tab = world.resume(&session);
    let directs = world.take(tab)[0]["directs"].clone();
    assert_eq!(
        (list(&directs).len(), &directs[0]["with"]),
        (200, &json!("user209"))
    );
}

#[test]
fn typing_in_a_conversation_reaches_the_other_one() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let conversation = text(&world.ask_ok(ada, "/msg Ben hello")["conversation"]);
    world.take(ben);
    let typing = json!({"type": "typing", "conversation": conversation}).to_string();
    for _ in 0..3 {
        assert!(world.ask(ada, &typing).is_empty());
    }
    let event = json!({"type": "typing", "conversation": conversation, "user": "Ada"});
    assert_eq!(world.take(ben), [event]);
    world.quit(ben);
    world.wait(2_000);
    assert!(world.ask(ada, &typing).is_empty());
}

#[test]
fn message_is_kept_for_a_user_who_quits_in_its_turn() {
    let mut world = World::new();
    let ada = world.enter("Ada", &[]);
    let (ben, session) = world.hello("Ben");
    world.say(ada, "/msg Ben wait");
    world.disconnect_in_turn(ben, Departure::Quit);
    world.commit();
    world.wait(60_000);
    let tab = world.connect();
    let welcome = world.ask_ok(tab, &hello_again("Ben", &session));
    let (author, with) = (&welcome["author"], &welcome["directs"][0]["with"]);
    assert_eq!((author, with), (&json!(2), &json!("Ada")));
}
