//! A wall clock that jumps: nothing is lost, nothing waits, and what is told of time does not go
//! back.

use serde_json::json;

use crate::harness::{Person, Server, eventually, parlor};
use crate::machine::Machine;
use crate::witness::Witness;

const DAY: i64 = 86_400;

#[test]
fn a_wall_clock_that_jumps() {
    let machine = Machine::new("clock");
    let mut command = parlor();
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--no-history",
        "--rate",
        "0",
        "--ping-interval",
        "1",
        "--resume-window",
        "0.5",
    ]);
    machine.run(&mut command);
    let server = Server::spawn(command);
    let witness = Witness::begin(&server);
    let mut ada = server.enter("Ada");
    ada.join("general");
    let mut at = 0;
    let mut jumped = 0;
    // Years ahead, back, and before 1970, where a clock without a battery may begin.
    for (n, seconds) in [0, DAY, -DAY, 3_600, 30 * 365 * DAY, -60 * 365 * DAY, 1, 0]
        .into_iter()
        .enumerate()
    {
        machine.set_clock(seconds);
        for _ in 0..3 {
            let ack = ada.say("general", "what time is it?");
            let now = ack["at"].as_u64().expect("milliseconds");
            jumped += u64::from(now > at + 1_000_000_000);
            assert!(
                now >= at,
                "time goes back by {} ms after jump {n}",
                at - now
            );
            at = now;
        }
        // Who comes, comes in; who goes, is gone in time. (The harness compares `Date` with its own
        // clock, so it is let be right.)
        machine.set_clock(0);
        let guest = server.enter(&format!("Guest{n}"));
        machine.set_clock(seconds);
        guest.vanish();
        eventually("the guest is gone", || {
            ada.ask(json!({"type": "who"}))["count"] == 3
        });
        // Sending again is safe, within a day by the clock that was.
        let again = json!({"type": "message", "channel": "general", "text": "once", "nonce": format!("n{n}")});
        let [first, second] = [(); 2].map(|()| ada.ask(again.clone()));
        assert_eq!(first["seq"], second["seq"], "jump {n}");
    }
    assert!(jumped >= 1, "the clock of the server did jump");
    machine.set_clock(0);
    let mut session = Person::return_of(&server, &ada.session(), "Ada");
    assert_eq!(session.join("general")["seq"], 8 * 4);
    assert!(witness.end() > 1);
}
