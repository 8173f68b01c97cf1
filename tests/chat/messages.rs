//! Messages in channels: order, acks, nonces, errors, `typing`; and a history that fails.

use crate::harness::World;
use crate::script::{Script, play, play_with};
use parlor::chat::Departure;
use parlor::history::{
    Author, Decision, Epoch, History, Memory, Proposal, SessionRow, StoreError, Stored,
};
use parlor::limits::Limits;
use parlor::testing::limits;
use parlor::time::Now;
use std::cell::Cell;
use std::rc::Rc;

conversations! {
fn message_reaches_the_channel_and_is_acknowledged() r#"
Ada,Ben enters tea
Cleo enters general
Ada > {"type":"message","channel":"tea","text":"hello","action":true,"nonce":"n1","id":9}
Ada,Ben = {"type":"message","channel":"tea","from":"Ada","author":1,"text":"hello","seq":1,
 "at":$START,"action":true,"nonce":"n1"}
Ada = {"type":"ack","id":9,"channel":"tea","seq":1,"at":$START}
Ada,Ben,Cleo quiet
Ada > plain
Ada = {"type":"message","channel":"tea","from":"Ada","author":1,"text":"plain","seq":2,
 "at":$START}
Ada quiet"#

fn messages_of_a_turn_are_numbered_in_order_and_acks_follow() r#"
Ada enters tea
Ben enters tea chess
Ada + {"type":"message","channel":"tea","text":"a","id":1}
Ben + {"type":"message","channel":"tea","text":"b","id":2}
Ben + {"type":"message","channel":"chess","text":"c","id":3}
Ada + {"type":"message","channel":"tea","text":"d","id":4}
commit
Ada < {"type":"message","text":"a","seq":1,"id":null}
Ada < {"type":"message","text":"b","seq":2,"id":null}
Ada < {"type":"message","text":"d","seq":3,"id":null}
Ada < {"type":"ack","seq":1,"id":1}
Ada < {"type":"ack","seq":3,"id":4}
Ada quiet
Ben types message message message message ack ack"#

fn message_of_the_same_turn_follows_joined() r#"
Ada enters tea
Ben enters
Ada + hello
Ben + /join tea
commit
Ben < {"type":"joined","seq":0}
Ben < {"type":"message","seq":1}
Ada + hello
Ben > {"type":"join","channel":"tea","since":1}
Ben types joined message"#

fn known_nonce_is_answered_with_the_first_ack() r#"
Ada enters tea chess
Ben enters tea
Ada > {"type":"message","channel":"tea","text":"x","nonce":"n","id":1}
Ada > /nick Eve
wait 1000
skip
Ada > {"type":"message","channel":"tea","text":"x","nonce":"n","id":2}
Ada = {"type":"ack","id":2,"channel":"tea","seq":1,"at":$START}
Ada > {"type":"message","channel":"tea","text":"x","nonce":"n"}
Ada,Ben quiet
Ada > {"type":"message","channel":"chess","text":"x","nonce":"n","id":3}
Ada types message ack
Ben > {"type":"message","channel":"tea","text":"x","nonce":"n","id":4}
Ben < {"type":"ack","seq":2}
skip
Ben + {"type":"message","channel":"tea","text":"x","nonce":"m","id":5}
Ben + {"type":"message","channel":"tea","text":"x","nonce":"m","id":6}
commit
Ben < {"type":"message","seq":3}
Ben < {"type":"ack","seq":3,"id":5}
Ben < {"type":"ack","seq":3,"id":6}
Ben quiet"#

fn typing_is_passed_on_at_most_once_a_second() r#"
Ada enters tea chess
Tab of Ada
Tab > /join tea
Tab > /join chess
Ben enters tea chess
wait 2000
skip
Ada > {"type":"typing","channel":"tea","id":1}
Ada > {"type":"typing","channel":"chess","id":1}
Tab > {"type":"typing","channel":"tea","id":1}
wait 999
Ada > {"type":"typing","channel":"tea","id":1}
Ben = {"type":"typing","channel":"tea","user":"Ada"}
Ben = {"type":"typing","channel":"chess","user":"Ada"}
Ben quiet
wait 1
Tab > {"type":"typing","channel":"tea","id":1}
Ben = {"type":"typing","channel":"tea","user":"Ada"}
Ada,Tab,Ben quiet"#
}

#[test]
fn invalid_messages_are_refused() {
    let mut script = play_with(limits(|it| it.text_chars = 5), "Ada enters tea");
    for (code, request) in [
        ("bad_name", r#""message","channel":"-","text":"a""#),
        ("no_such_channel", r#""message","channel":"tee","text":"a""#),
        ("not_in_channel", r#""typing","channel":"general""#),
        ("empty", r#""message","channel":"tea","text":"""#),
        (
            "empty",
            r#""message","channel":"tea","text":" \n\u3000\ufeff""#,
        ),
        ("too_long", r#""message","channel":"tea","text":"äöüßéè""#),
        ("bad_field", r#""message","channel":"tea","text":"\u0007""#),
        ("no_such_user", r#""direct","to":"Ben","text":"a""#),
        ("bad_name", r#""direct","to":"-","text":"a""#),
        ("empty", r#""direct","to":"Ada","text":"""#),
        ("too_long", r#""direct","to":"Ada","text":"123456""#),
    ] {
        script.play(&format!("Ada ! {code} {{\"type\":{request}}}\ncost 1"));
        assert!(!script.world.outcome.proposed, "{request}");
    }
    script.play(
        r#"
Ada > äöüßé
Ada < {"type":"message","text":"äöüßé"}
Ada > {"type":"message","channel":"tea","text":" a\n"}
Ada < {"type":"message","text":" a\n"}"#,
    );
}

/// A history that fails while `fails` is set.
struct Failing {
    memory: Memory,
    fails: Rc<Cell<bool>>,
    /// Whether it then fails because of another program's lock.
    is_locked: bool,
}

impl Failing {
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Memory) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        match self.fails.get() {
            true => Err(StoreError("the disk is full".into())),
            false => call(&mut self.memory),
        }
    }
}

impl History for Failing {
    parlor::forward_history!();
    fn commit(
        &mut self,
        proposals: &[Rc<Proposal>],
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<Vec<Stored>, StoreError> {
        self.call(|memory| memory.commit(proposals, sessions, now))
    }
    fn decide(
        &mut self,
        decision: &Decision,
        sessions: &[SessionRow],
        now: Now,
    ) -> Result<(), StoreError> {
        self.call(|memory| memory.decide(decision, sessions, now))
    }
    fn is_locked(&self) -> bool {
        self.is_locked
    }
    fn epoch(&self) -> Epoch {
        self.memory.epoch()
    }
    fn next_author(&mut self) -> Author {
        self.memory.next_author()
    }
}

#[test]
fn failing_history_is_storage_failed_and_changes_nothing() {
    let fails = Rc::new(Cell::new(false));
    let history = Failing {
        memory: Memory::new("epoch".into(), Author(0)),
        fails: fails.clone(),
        is_locked: false,
    };
    let world = World::remembering(Limits::DEFAULT, Box::new(history));
    let mut script = Script::new(world);
    script.play("Ada,Ben enters tea\nAda > /msg Ben hello\nAda > /own key\nwait 1000\nskip");
    fails.set(true);
    script.play(
        r#"
Ada + {"type":"message","channel":"tea","text":"a","nonce":"n","id":1}
Ada + b
Ben + /msg Ada c
commit
Ada < {"type":"error","code":"storage_failed","id":1}
Ada,Ben < {"type":"error","code":"storage_failed","id":null}
Ada,Ben quiet
Ada ! storage_failed /join coffee
Ada ! storage_failed /join tea
Ada ! storage_failed /history
Ada ! storage_failed /mute Ben 5
Ada ! storage_failed /kick Ben 5
Ada ! storage_failed /door closed
Ada ! storage_failed /writing tea owner
Ada ! storage_failed /clear tea
Ada ! storage_failed /remove tea
Ada,Ben quiet
Ada ! storage_failed {"type":"history","conversation":"c1-2"}
channels 2
Ada drops
wait 30000
Ada ! storage_failed {"type":"hello","name":"Ada","session":"$Ada"}
online 1"#,
    );
    fails.set(false);
    // No number was used, and no nonce.
    script.play(
        r#"
Ada > {"type":"hello","name":"Ada","session":"$Ada"}
Ada < {"type":"welcome","author":1}
Ada > /join tea
Ada > {"type":"message","channel":"tea","text":"a","nonce":"n","id":1}
Ada < {"type":"message","seq":1}
Ada < {"type":"ack","seq":1}"#,
    );
}

#[test]
fn locked_history_delays_messages_for_five_seconds() {
    let fails = Rc::new(Cell::new(false));
    let history = Failing {
        memory: Memory::new("epoch".into(), Author(0)),
        fails: fails.clone(),
        is_locked: true,
    };
    let world = World::remembering(Limits::DEFAULT, Box::new(history));
    let mut script = Script::new(world);
    script.play("Ada,Ben enters tea\nwait 1000\nskip");
    fails.set(true);
    let send = r#"Ada + {"type":"message","channel":"tea","text":"a","id":1}"#;
    script.play(&format!("{send}\ncommit\nwait 4999\ncommit\nAda,Ben quiet"));
    assert!(script.world.chat.is_waiting());
    fails.set(false);
    script.play(
        r#"commit
Ben < {"type":"message","seq":1,"text":"a"}
Ada < {"type":"message","seq":1}
Ada < {"type":"ack","seq":1}"#,
    );
    fails.set(true);
    let failed = r#"Ada < {"type":"error","code":"storage_failed","id":1}"#;
    script.play(&format!("{send}\ncommit\nwait 5000\ncommit\n{failed}"));
    // The lock has lasted five seconds, so messages fail at once.
    script.play(&format!("{send}\ncommit\n{failed}\nAda,Ben quiet"));
    assert!(!script.world.chat.is_waiting());
}

/// A new connection may have the number of the old one.
#[test]
fn ack_for_a_connection_that_is_gone_is_dropped() {
    let mut script = play("Ada,Ben enters tea\nskip");
    script.play(r#"Ada + {"type":"message","channel":"tea","text":"last words","id":1}"#);
    let ada = script.tab("Ada");
    script.world.disconnect_in_turn(ada, Departure::Quit);
    script.tab("Cleo");
    script.world.commit();
    let [ben, cleo] = ["Ben", "Cleo"].map(|name| script.tab(name));
    let of_ben = script.world.take(ben);
    let messages = of_ben.iter().filter(|event| event["type"] == "message");
    assert_eq!((messages.count(), script.world.take(cleo).len()), (1, 0));
}
