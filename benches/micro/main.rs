//! Measures each step of a message, beside `memcpy` of the same bytes.
//!
//! ```text
//! cargo bench --bench micro                   all steps, as Markdown: some seconds
//! cargo bench --bench micro -- --rounds 3     fewer rounds (of 31)
//! ```
//!
//! A round is a millisecond of the step and a millisecond of `memcpy`; the figures are medians of
//! the rounds. `memcpy` copies between two warm buffers; for 64 bytes it takes a few nanoseconds,
//! so the ratio is one of very small numbers. A step gets the same input each time. Unmasking
//! changes its input, so its key is 0 there, which is the same work.
//!
//! `load` measures a whole server, and `sizes` how its costs grow.

// The server's own source files, because their items are private. Their tests do not run here.
#[allow(unused_imports)]
#[path = "../../src/websocket/mask.rs"]
mod mask;
mod timer;
#[allow(dead_code, unused_imports)]
#[path = "../../src/websocket/utf8.rs"]
mod utf8;
mod violation {
    pub(crate) use parlor::websocket::Violation;
}
#[allow(dead_code)]
mod world;

use parlor::chat::codec;
use parlor::chat::command::Request;
use parlor::chat::event::Event;
use parlor::history::{Author, Proposal, Record, Seq};
use parlor::progress::Progress;
use parlor::time::UnixMillis;
use parlor::websocket::{FrameHeader, Opcode, Scratch, WebSocket, encode_message, write_message};
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use timer::{Timer, count, number};
use world::World;

const SIZES: [usize; 5] = [16, 64, 1 << 10, 16 << 10, 64 << 10];
const MESSAGE_BYTES: usize = 1 << 20;
/// The most bytes of one read.
const READ_BYTES: usize = 64 << 10;

fn main() -> ExitCode {
    let mut timer = Timer {
        rounds: 31,
        each: Duration::from_millis(1),
    };
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    match &arguments[..] {
        [] => {}
        [name, rounds]
            if name == "--rounds" && rounds.parse().is_ok_and(|rounds: usize| rounds > 0) =>
        {
            timer.rounds = rounds.parse().unwrap_or(1);
        }
        _ => {
            eprintln!("micro: the only option is --rounds N");
            return ExitCode::FAILURE;
        }
    }
    println!("| step | of | ns | GB/s | × memcpy |\n| --- | --- | --- | --- | --- |");
    unmasking(&timer);
    utf8(&timer);
    frames(&timer);
    commands(&timer);
    events(&timer);
    fan_out(&timer);
    ExitCode::SUCCESS
}

/// Prints one row: the step works on `bytes` bytes in `items` items.
fn row(timer: &Timer, step: &str, of: &str, bytes: usize, items: usize, work: impl FnMut()) {
    let (from, mut to) = (vec![b'x'; bytes], vec![0; bytes]);
    let compared = timer.compare(work, || {
        black_box(&mut to[..]).copy_from_slice(black_box(&from))
    });
    let nanos = compared.nanos / items as f64;
    let speed = bytes as f64 / compared.nanos;
    println!(
        "| {step} | {of} | {} | {} | {} |",
        number(nanos),
        number(speed),
        number(compared.ratio)
    );
}

fn of(bytes: usize) -> String {
    if bytes < 1 << 10 {
        format!("{bytes} bytes")
    } else {
        format!("{} KiB", bytes >> 10)
    }
}

fn unmasking(timer: &Timer) {
    for bytes in SIZES {
        let mut payload = vec![b'x'; bytes];
        row(timer, "unmask", &of(bytes), bytes, 1, || {
            mask::apply_mask(
                black_box(&mut payload),
                black_box([0x37, 0xfa, 0x21, 0x3d]),
                0,
            )
        });
    }
}

/// Returns this many bytes of text: ASCII, or mixed scripts.
fn text(bytes: usize, mixed: bool) -> String {
    let unit = if mixed {
        "Grüße, Ξένε! Привет всем 你好世界 こんにちは 👋🏽 ok. "
    } else {
        "The quick brown fox jumps over it. "
    };
    let mut text: String = unit
        .chars()
        .cycle()
        .scan(0, |length, c| {
            (*length + c.len_utf8() <= bytes).then(|| (*length += c.len_utf8(), c).1)
        })
        .collect();
    text.push_str(&"x".repeat(bytes - text.len()));
    text
}

fn utf8(timer: &Timer) {
    for (script, mixed) in [("ASCII", false), ("mixed scripts", true)] {
        for bytes in SIZES {
            let text = text(bytes, mixed);
            row(
                timer,
                &format!("UTF-8, {script}"),
                &of(bytes),
                bytes,
                1,
                || {
                    assert!(
                        black_box(utf8::text(black_box(text.as_bytes()))).is_ok(),
                        "the text is valid"
                    );
                },
            );
        }
        for bytes in SIZES {
            // Pieces may end inside a character. The check collects the text, so this row includes
            // a copy.
            let (text, piece) = (text(bytes, mixed), (bytes / 8 + 1).min(1_401));
            row(
                timer,
                &format!("UTF-8, {script}, in pieces"),
                &format!("{} by {piece}", of(bytes)),
                bytes,
                1,
                || {
                    let (mut whole, mut valid) = (Vec::new(), 0);
                    for piece in black_box(text.as_bytes()).chunks(piece) {
                        whole.extend_from_slice(piece);
                        valid += utf8::valid_up_to(&whole[valid..]).expect("the text is valid");
                    }
                    assert!(
                        black_box(utf8::text(&whole)).is_ok(),
                        "the text is complete"
                    );
                },
            );
        }
    }
}

fn frames(timer: &Timer) {
    let header = world::frame(&"x".repeat(200));
    row(timer, "frame header, decoded", "8 bytes", 8, 1, || {
        let decoded = FrameHeader::decode(black_box(&header[..8]));
        assert!(
            matches!(black_box(decoded), Ok(Progress::Done { .. })),
            "the header is valid"
        );
    });
    let mut scratch = Scratch::default();
    for bytes in SIZES {
        let mut input = world::frame(&text(bytes, false));
        let mut machine = WebSocket::server(MESSAGE_BYTES);
        row(
            timer,
            "message: header, unmask, UTF-8",
            &of(bytes),
            bytes,
            1,
            || receive(&mut machine, &mut scratch, &mut input, 1),
        );
    }
    for bytes in SIZES {
        let one = world::frame(&text(bytes, false));
        let messages = (READ_BYTES / one.len()).max(1);
        let mut input = one.repeat(messages);
        let mut machine = WebSocket::server(MESSAGE_BYTES);
        let of = format!("{} of {}", count(messages), of(bytes));
        row(
            timer,
            "the same, pipelined, each",
            &of,
            bytes * messages,
            messages,
            || receive(&mut machine, &mut scratch, &mut input, messages),
        );
    }
    for bytes in SIZES {
        let (payload, mut out) = (text(bytes, false), Vec::new());
        row(timer, "frame, encoded", &of(bytes), bytes, 1, || {
            out.clear();
            encode_message(Opcode::Text, black_box(payload.as_bytes()), &mut out);
            black_box(&out);
        });
    }
}

/// Parses all messages of the input, as the hub does.
fn receive(machine: &mut WebSocket, scratch: &mut Scratch, input: &mut [u8], messages: usize) {
    let (mut at, mut seen) = (0, 0);
    while let Ok(Progress::Done { value: event, used }) =
        machine.receive(black_box(&mut input[at..]), scratch, &mut Vec::new())
    {
        black_box(event);
        (at, seen) = (at + used, seen + 1);
    }
    assert_eq!(seen, messages, "messages parsed");
}

fn commands(timer: &Timer) {
    for bytes in SIZES {
        let command = format!(
            r#"{{"type":"message","channel":"general","text":"{}"}}"#,
            text(bytes, false)
        );
        row(
            timer,
            "JSON → command, a text",
            &of(bytes),
            command.len(),
            1,
            || {
                assert!(
                    black_box(Request::parse(black_box(&command)))
                        .command
                        .is_ok(),
                    "the command is valid"
                );
            },
        );
    }
}

fn events(timer: &Timer) {
    for bytes in SIZES {
        let what = Proposal {
            kind: Default::default(),
            place: parlor::history::Place::Channel("general".into()),
            author: Author(100),
            from: "member".into(),
            to: None,
            text: text(bytes, false).into(),
            action: false,
            nonce: None,
            owner: false,
        };
        let record = Record {
            what: Rc::new(what),
            seq: Seq(10_000),
            at: UnixMillis(1_700_000_000_000),
            changes: None,
        };
        let event = Event::Message(record);
        let mut out = Vec::new();
        let mut encode = || {
            out.clear();
            write_message(Opcode::Text, &mut out, |out| {
                codec::encode(black_box(&event), None, out)
            });
            black_box(out.len())
        };
        let length = encode();
        row(
            timer,
            "event → JSON in a frame, a text",
            &of(bytes),
            length,
            1,
            || {
                encode();
            },
        );
    }
}

/// Runs a whole turn of the hub, with one message to this many members.
fn fan_out(timer: &Timer) {
    for messages in [1, 40] {
        for members in [10, 100, 1_000, 10_000] {
            let mut world = World::new();
            world.enter(members, world::in_one);
            let mut said = world::message("general", &text(64, false));
            let bytes = (said.len() + 60) * messages * members;
            let what = format!("a turn: {messages} × 64 bytes to each member, each");
            row(
                timer,
                &what,
                &format!("{} members", count(members)),
                bytes,
                members,
                || {
                    for _ in 0..messages {
                        world.ask(0, &mut said);
                    }
                    world.turn();
                },
            );
        }
    }
}
