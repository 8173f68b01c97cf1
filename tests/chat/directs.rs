//! Conversations: private messages between two sessions («Users, sessions, connections»).

use crate::harness::{START, World, list, text};
use parlor::chat::Departure;
use serde_json::{Value, json};

#[test]
fn every_connection_of_both_gets_a_direct_and_nobody_else() {
    let mut world = World::new();
    let [ada, ben, cleo] = [
        world.enter("Ada", &["tea"]),
        world.connect(),
        world.enter("Cleo", &["tea"]),
    ];
    let session = text(&world.ask_ok(ben, "/nick Ben")["session"]);
    let ben2 = world.resume(&session);
    world.take_from(&[ben, ben2, cleo]);
    let answer = world.ask(
        ada,
        r#"{"type":"direct","to":"ben","text":"psst","nonce":"n","id":2}"#,
    );
    let direct = json!({
        "type": "direct", "conversation": answer[0]["conversation"], "from": "Ada", "author": 1, "to": "Ben", "text": "psst", "seq": 1,
        "at": START, "nonce": "n",
    });
    let ack = json!({"type": "ack", "id": 2, "conversation": direct["conversation"], "to": "Ben", "seq": 1, "at": START});
    assert_eq!(answer, [direct.clone(), ack.clone()]);
    assert_eq!(
        (world.take(ben), world.take(ben2)),
        (vec![direct.clone()], vec![direct])
    );
    assert!(world.take(cleo).is_empty());
    assert!((1..=64).contains(&text(&answer[0]["conversation"]).len()));
    let again = world.ask(
        ada,
        r#"{"type":"direct","to":"Ben","text":"psst","nonce":"n","id":3}"#,
    );
    assert_eq!(again.len(), 1);
    assert_eq!(
        (&again[0]["seq"], &again[0]["id"]),
        (&json!(1), &json!(3)),
        "a nonce is known in a conversation, too"
    );
}

#[test]
fn a_conversation_goes_on_whatever_its_two_are_called() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let first = world.ask_ok(ada, "/msg Ben one");
    world.ask_ok(ben, "/nick Benedict");
    let second = world.ask_ok(ben, "/msg Ada two");
    let third = world.ask_ok(
        ada,
        &json!({"type": "direct", "conversation": first["conversation"], "text": "three"})
            .to_string(),
    );
    assert_eq!(
        [&second["conversation"], &third["conversation"]],
        [&first["conversation"]; 2]
    );
    assert_eq!([&first["seq"], &second["seq"], &third["seq"]], [1, 2, 3]);
    assert_eq!(
        (&third["from"], &third["to"]),
        (&json!("Ada"), &json!("Benedict"))
    );
}

#[test]
fn only_its_two_can_read_a_conversation_or_write_to_it() {
    let mut world = World::new();
    let [ada, ben, cleo] = [
        world.enter("Ada", &[]),
        world.enter("Ben", &[]),
        world.enter("Cleo", &[]),
    ];
    let conversation = text(&world.ask_ok(ada, "/msg Ben hello")["conversation"]);
    for kind in [r#""direct","text":"hello""#, r#""typing""#, r#""history""#] {
        let request = format!(r#"{{"type":{kind},"conversation":"{conversation}"}}"#);
        assert_eq!(
            world.error(cleo, &request),
            "no_such_conversation",
            "{kind}"
        );
        assert!(
            world
                .ask(ben, &request)
                .iter()
                .all(|event| event["type"] != "error"),
            "{kind}"
        );
    }
    // What Ada and Cleo would have does not exist before one of them says something, even for these
    // two.
    let made_up = conversation.replace('2', "3");
    assert_eq!(
        world.error(
            ada,
            &format!(r#"{{"type":"history","conversation":"{made_up}"}}"#)
        ),
        "no_such_conversation"
    );
    assert_eq!(
        world.error(ada, r#"{"type":"history","conversation":"nonsense"}"#),
        "no_such_conversation"
    );
}

#[test]
fn one_may_write_to_oneself_and_gets_it_once() {
    let mut world = World::new();
    let tab = world.connect();
    let session = text(&world.ask_ok(tab, "/nick Ada")["session"]);
    let other = world.resume(&session);
    world.take_from(&[tab, other]);
    let answer = world.ask(tab, r#"{"type":"direct","to":"Ada","text":"milk","id":1}"#);
    assert_eq!(
        (answer.len(), &answer[0]["to"], &answer[1]["to"]),
        (2, &json!("Ada"), &json!("Ada"))
    );
    assert_eq!(world.take(other).len(), 1);
    let back = world.resume(&session);
    let welcome = &world.take(back)[0];
    let expected = json!([{"conversation": answer[0]["conversation"], "with": "Ada", "seq": 1, "online": true}]);
    assert_eq!(welcome["directs"], expected);
}

#[test]
fn who_wrote_to_oneself_finds_oneself_online_under_the_name_of_now() {
    let mut world = World::new();
    let tab = world.connect();
    let session = text(&world.ask_ok(tab, "/nick Ada")["session"]);
    world.ask_ok(tab, "/msg Ada milk");
    world.quit(tab);
    let tab = world.connect();
    let welcome = world.ask_ok(
        tab,
        &json!({"type": "hello", "name": "Eve", "session": session}).to_string(),
    );
    assert_eq!(
        (
            &welcome["directs"][0]["with"],
            &welcome["directs"][0]["online"]
        ),
        (&json!("Eve"), &json!(true))
    );
}

#[test]
fn a_conversation_reaches_somebody_who_is_offline_and_finds_it_on_return() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.connect()];
    let session = text(&world.ask_ok(ben, "/nick Ben")["session"]);
    let conversation = text(&world.ask_ok(ada, "/msg Ben one")["conversation"]);
    world.quit(ben);
    assert_eq!(
        world.error(ada, "/msg Ben two"),
        "no_such_user",
        "nobody has that name now"
    );
    let request =
        json!({"type": "direct", "conversation": conversation, "text": "two", "id": 1}).to_string();
    assert_eq!(
        world.ask(ada, &request)[1]["to"],
        "Ben",
        "the name that he last had"
    );
    let tab = world.connect();
    let welcome = world.ask_ok(
        tab,
        &json!({"type": "hello", "name": "Bob", "session": session}).to_string(),
    );
    assert_eq!(
        welcome["directs"],
        json!([{"conversation": conversation, "with": "Ada", "seq": 2, "online": true}])
    );
    let history = world.ask_ok(
        tab,
        &json!({"type": "history", "conversation": conversation, "after": 1}).to_string(),
    );
    assert_eq!(
        (
            &history["messages"][0]["text"],
            &history["messages"][0]["type"]
        ),
        (&json!("two"), &json!("direct"))
    );
}

#[test]
fn directs_are_listed_newest_first_with_the_name_that_the_other_one_has_or_last_had() {
    let mut world = World::new();
    let ada = world.connect();
    let session = text(&world.ask_ok(ada, "/nick Ada")["session"]);
    let [ben, cleo, dan] = ["Ben", "Cleo", "Dan"].map(|name| world.enter(name, &[]));
    for line in [
        "/msg Ben one",
        "/msg Cleo one",
        "/msg Dan one",
        "/msg Ben two",
    ] {
        world.ask_ok(ada, line);
    }
    world.ask_ok(ben, "/nick Benedict");
    world.quit(cleo);
    world.drop(dan);
    let tab = world.resume(&session);
    let welcome = &world.take(tab)[0];
    let seen: Vec<_> = list(&welcome["directs"])
        .iter()
        .map(|direct| json!([direct["with"], direct["seq"], direct["online"]]))
        .collect();
    assert_eq!(
        seen,
        [
            json!(["Benedict", 2, true]),
            json!(["Dan", 1, true]),
            json!(["Cleo", 1, false])
        ]
    );
}

#[test]
fn a_repeated_nonce_makes_a_conversation_no_newer() {
    let mut world = World::new();
    let (tab, _ben, _cleo) = (
        world.connect(),
        world.enter("Ben", &[]),
        world.enter("Cleo", &[]),
    );
    let session = text(&world.ask_ok(tab, "/nick Ada")["session"]);
    let first = r#"{"type":"direct","to":"Ben","text":"one","nonce":"n"}"#;
    world.ask_ok(tab, first);
    world.ask_ok(tab, "/msg Cleo two");
    world.ask_ok(tab, first);
    let back = world.resume(&session);
    let directs = world.take(back)[0]["directs"].clone();
    assert_eq!(
        list(&directs)
            .iter()
            .map(|row| text(&row["with"]))
            .collect::<Vec<_>>(),
        ["Cleo", "Ben"]
    );
}

#[test]
fn at_most_200_directs_are_listed() {
    let mut world = World::new();
    let ada = world.connect();
    let session = text(&world.ask_ok(ada, "/nick Ada")["session"]);
    for n in 0..210 {
        world.enter(&format!("user{n}"), &[]);
        world.ask_ok(ada, &format!("/msg user{n} hello"));
    }
    let tab = world.resume(&session);
    let welcome = &world.take(tab)[0];
    assert_eq!(
        (
            list(&welcome["directs"]).len(),
            &welcome["directs"][0]["with"]
        ),
        (200, &json!("user209"))
    );
}

#[test]
fn typing_in_a_conversation_is_told_to_the_other_one_at_most_once_a_second() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.enter("Ben", &[])];
    let conversation = text(&world.ask_ok(ada, "/msg Ben hello")["conversation"]);
    world.take(ben);
    let typing = json!({"type": "typing", "conversation": conversation}).to_string();
    for _ in 0..3 {
        assert_eq!(world.ask(ada, &typing), Vec::<Value>::new());
    }
    assert_eq!(
        world.take(ben),
        [json!({"type": "typing", "conversation": conversation, "user": "Ada"})]
    );
    world.ask(ben, &typing);
    world.quit(ben);
    assert_eq!(
        world.ask(ada, &typing),
        Vec::<Value>::new(),
        "nobody is there to be told"
    );
}

#[test]
fn who_quits_in_the_turn_in_which_somebody_writes_to_it_finds_the_message() {
    let mut world = World::new();
    let [ada, ben] = [world.enter("Ada", &[]), world.connect()];
    let session = text(&world.ask_ok(ben, "/nick Ben")["session"]);
    world.say(ada, "/msg Ben wait");
    world.disconnect_in_turn(ben, Departure::Quit);
    world.commit();
    world.wait(60_000);
    let tab = world.connect();
    let welcome = world.ask_ok(
        tab,
        &json!({"type": "hello", "name": "Ben", "session": session}).to_string(),
    );
    assert_eq!(
        (&welcome["author"], &welcome["directs"][0]["with"]),
        (&json!(2), &json!("Ada"))
    );
}
