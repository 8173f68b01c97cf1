//! Peers that break off, and peers that are slow.

use std::time::{Duration, Instant};

use crate::harness::{Raw, Server, Wire, eventually, frame};
use crate::memory::descriptors;
use crate::witness::{Witness, withstand};
use crate::{Dice, counted, times};

fn reset(raw: &Raw) {
    rustix::net::sockopt::set_socket_linger(&raw.stream, Some(Duration::ZERO)).expect("a reset");
}

#[test]
fn a_thousand_resets_leave_nothing_behind() {
    withstand("resets", &["--resume-window", "0.1"], 6 << 10, |server| {
        let before = descriptors(server.pid());
        let mut dice = Dice(7);
        for n in 0..times(1_000, 20_000) {
            let mut raw = server.raw();
            let handshake = Wire::handshake(["/chat", "/echo"][n % 2]);
            // Cut off anywhere: before the first byte, in the head, in a frame, in the middle of a
            // talk.
            let talk = [
                handshake.as_bytes(),
                &frame(0x81, format!("/nick n{n}")),
                &frame(0x81, "/join general"),
                &frame(0x81, "hello"),
            ]
            .concat();
            raw.send(&talk[..dice.below(talk.len() + 1)]);
            if dice.below(3) == 0 {
                raw.stream
                    .set_read_timeout(Some(Duration::from_millis(1)))
                    .expect("a timeout");
                let _ = raw.fill();
            }
            reset(&raw);
        }
        eventually("all are gone", || {
            server.metric("parlor_connections") == 2.0
        });
        eventually("and their descriptors", || {
            descriptors(server.pid()) == before
        });
        eventually("and the people", || {
            server.metric("parlor_users_online") == 2.0
        });
        assert!(server.metric("parlor_buffered_bytes") == 0.0);
    });
}

/// A byte now and then does not buy a byte's time: a head has its time from its first byte, and so
/// has a message.
#[test]
fn slow_heads_and_slow_frames_have_an_end() {
    let options = [
        "--handshake-timeout",
        "1",
        "--message-timeout",
        "1",
        "--max-connections-per-ip",
        "0",
    ];
    let server = Server::start(&options);
    let witness = Witness::begin(&server);
    let (head, text) = (
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
            "x".repeat(5_000)
        ),
        frame(0x81, "x".repeat(5_000)),
    );
    let mut heads: Vec<Raw> = (0..times(20, 200)).map(|_| server.raw()).collect();
    let mut wires: Vec<Wire> = (0..times(20, 200))
        .map(|n| server.open(["/chat", "/echo"][n % 2]))
        .collect();
    let began = Instant::now();
    // Who was refused may have reset it already.
    let put = |raw: &mut Raw, byte: u8| drop(std::io::Write::write(&mut raw.stream, &[byte]));
    let (told, closed) = (
        "parlor_refused_total{status=\"408\"}",
        "parlor_closed_total{code=\"1008\"}",
    );
    for at in 0.. {
        if counted(&server, told) as usize == heads.len()
            && counted(&server, closed) as usize == wires.len()
        {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "they were let go on for a minute"
        );
        heads
            .iter_mut()
            .for_each(|raw| put(raw, head.as_bytes()[at % head.len()]));
        wires
            .iter_mut()
            .for_each(|wire| put(&mut wire.raw, text[at % text.len()]));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(witness.end() > 1);
}
