//! Who somebody is: `hello`, `welcome`, sessions, and how long they last.

use crate::harness::World;

#[test]
fn two_users_chat() {
    let mut world = World::new();
    let ada = world.enter("Ada", &["general"]);
    let ben = world.enter("Ben", &["general"]);
    let answer = world.ask(ada, r#"{"type":"message","channel":"general","text":"hello","id":7}"#);
    assert_eq!(answer[0]["type"], "message");
    assert_eq!(answer[1]["type"], "ack");
    let heard = world.take(ben);
    assert_eq!(heard[0]["text"], "hello");
}
