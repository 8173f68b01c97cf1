//! What a hub is told, as lines of a file: with them, and what its sockets took, it does the same
//! again.
//!
//! A hub has no other inputs: no clock, no socket, no chance of its own. So a recording is a head
//! and the calls in their order.
//!
//! ```text
//! {"parlor_recording":1,"server":"0.1.0","seed":"…32 digits…","epoch":"…","newest_author":17…,"started":179…,"options":["--no-history"]}
//! A 12 1790000000000 127.0.0.1:50112     a connection was accepted; both clocks in milliseconds, then whose it is
//! Q 0                                    connection 0 (its index in the slab) is asked whether it is to be read
//! R 0 13 1790000000001 474554202f…       it was read: these bytes
//! E 0 13 1790000000001 end               there is nothing more to read: end (of the stream) or failed
//! W 0                                    its socket has room again
//! U                                      who is to be read again was asked for
//! J 1                                    deadlines count from here on; 0: they don't
//! T 13 1790000000001                     the turn ended, …
//! S 129                                  … in which a socket took 129 bytes; S wait: none, S again: interrupted, S failed
//! D 99 1790000000087                     the server is about to stop
//! M 81000                                the turn took so many nanoseconds (for /metrics alone)
//! ```
//!
//! The `S` of a turn stand behind its `T` or `D`, in the order of the writes. A file that ends in
//! the middle, as that of a process
//! that died, lacks at most those of the last turn.
//!
//! Not here: the file (`server::recording`), the driver that reads it (`cli::replay`).

use super::Ended;
use crate::limits::READ_BYTES;
use crate::text::{Hex, decode_hex};
use crate::time::{Millis, Now, UnixMillis};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// The version of the format. Another one is not read.
pub const VERSION: u32 = 1;
/// A longer line is none of ours: the longest has one read's bytes in hex.
pub const LINE_BYTES: usize = 2 * READ_BYTES + 128;
/// A longer first line is none of ours.
pub const HEAD_BYTES: usize = 64 << 10;

/// The first line of a recording, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`].
    pub parlor_recording: u32,
    /// Which parlor wrote it.
    pub server: String,
    /// What the session tokens were made of: 16 bytes in hex.
    pub seed: String,
    /// The history's.
    pub epoch: String,
    /// Authors up to this one were given before.
    pub newest_author: u64,
    /// When the server started, in milliseconds since 1970.
    pub started: u64,
    /// The options that were given, those of the environment too.
    pub options: Vec<String>,
}

/// One call of the hub, or what came back from a socket within it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "they are the hub's methods, and the head of this file says what each is"
)]
pub enum Call<'a> {
    Accepted {
        peer: SocketAddr,
        now: Now,
    },
    WantsRead {
        index: usize,
    },
    Received {
        index: usize,
        bytes: &'a [u8],
        now: Now,
    },
    Ended {
        index: usize,
        why: Ended,
        now: Now,
    },
    Writable {
        index: usize,
    },
    TakeResumed,
    Judge(bool),
    EndTurn(Now),
    Drain(Now),
    TurnTook(Duration),
    Wrote(Wrote),
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// So many bytes were taken.
    Bytes(usize),
    /// None: it would have had to wait.
    Wait,
    /// None: a signal came.
    Again,
    /// The socket is of no use any more.
    Failed,
}

impl Call<'_> {
    /// Appends it as a line.
    pub fn write(&self, out: &mut String) {
        let written = match self {
            Self::Accepted { peer, now } => writeln!(out, "A {} {} {peer}", now.mono.0, now.unix.0),
            Self::WantsRead { index } => writeln!(out, "Q {index}"),
            Self::Received { index, bytes, now } => {
                let begun = write!(out, "R {index} {} {} ", now.mono.0, now.unix.0);
                begun.and_then(|()| writeln!(out, "{:x}", Hex(bytes)))
            }
            Self::Ended { index, why, now } => {
                let why = if *why == Ended::EndOfStream {
                    "end"
                } else {
                    "failed"
                };
                writeln!(out, "E {index} {} {} {why}", now.mono.0, now.unix.0)
            }
            Self::Writable { index } => writeln!(out, "W {index}"),
            Self::TakeResumed => writeln!(out, "U"),
            Self::Judge(judge) => writeln!(out, "J {}", u8::from(*judge)),
            Self::EndTurn(now) => writeln!(out, "T {} {}", now.mono.0, now.unix.0),
            Self::Drain(now) => writeln!(out, "D {} {}", now.mono.0, now.unix.0),
            Self::TurnTook(took) => writeln!(out, "M {}", took.as_nanos()),
            Self::Wrote(Wrote::Bytes(count)) => writeln!(out, "S {count}"),
            Self::Wrote(Wrote::Wait) => writeln!(out, "S wait"),
            Self::Wrote(Wrote::Again) => writeln!(out, "S again"),
            Self::Wrote(Wrote::Failed) => writeln!(out, "S failed"),
        };
        debug_assert!(written.is_ok(), "a String takes everything");
    }

    /// Reads a line without its end; the bytes of `R` are put into `buffer`. `None`: it is none of
    /// ours.
    pub fn parse<'a>(line: &str, buffer: &'a mut Vec<u8>) -> Option<Call<'a>> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let mut word = || words.next();
        let call = match kind {
            "A" => {
                let now = now(word()?, word()?)?;
                Call::Accepted {
                    now,
                    peer: word()?.parse().ok()?,
                }
            }
            "Q" => Call::WantsRead {
                index: word()?.parse().ok()?,
            },
            "R" => {
                let (index, now) = (word()?.parse().ok()?, now(word()?, word()?)?);
                let hex = word()?.as_bytes();
                if hex.is_empty() || hex.len() > 2 * READ_BYTES {
                    return None;
                }
                *buffer = decode_hex(hex)?;
                Call::Received {
                    index,
                    bytes: buffer,
                    now,
                }
            }
            "E" => {
                let (index, now) = (word()?.parse().ok()?, now(word()?, word()?)?);
                let why = match word()? {
                    "end" => Ended::EndOfStream,
                    "failed" => Ended::Failed,
                    _ => return None,
                };
                Call::Ended { index, why, now }
            }
            "W" => Call::Writable {
                index: word()?.parse().ok()?,
            },
            "U" => Call::TakeResumed,
            "J" => Call::Judge(match word()? {
                "0" => false,
                "1" => true,
                _ => return None,
            }),
            "T" => Call::EndTurn(now(word()?, word()?)?),
            "D" => Call::Drain(now(word()?, word()?)?),
            "M" => Call::TurnTook(Duration::from_nanos(word()?.parse().ok()?)),
            "S" => Call::Wrote(match word()? {
                "wait" => Wrote::Wait,
                "again" => Wrote::Again,
                "failed" => Wrote::Failed,
                count => Wrote::Bytes(count.parse().ok()?),
            }),
            _ => return None,
        };
        word().is_none().then_some(call)
    }
}

fn now(mono: &str, unix: &str) -> Option<Now> {
    Some(Now {
        mono: Millis(mono.parse().ok()?),
        unix: UnixMillis(unix.parse().ok()?),
    })
}

/// The session tokens of a recorded server: as unguessable as the seed is secret, and the same
/// again from the same seed.
pub fn tokens(seed: [u8; 16]) -> impl FnMut() -> [u8; 16] {
    let mut number = 0_u64;
    move || {
        number += 1;
        let digest: [u8; 20] = Sha1::new()
            .chain_update(seed)
            .chain_update(number.to_be_bytes())
            .finalize()
            .into();
        std::array::from_fn(|at| digest[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let now = Now {
            mono: Millis(12),
            unix: UnixMillis(1_790_000_000_000),
        };
        let calls = [
            Call::Accepted {
                peer: "[::1]:50112".parse().expect("an address"),
                now,
            },
            Call::WantsRead { index: 7 },
            Call::Received {
                index: 7,
                bytes: b"GET \x00\xff",
                now,
            },
            Call::Ended {
                index: 7,
                why: Ended::EndOfStream,
                now,
            },
            Call::Ended {
                index: 7,
                why: Ended::Failed,
                now,
            },
            Call::Writable { index: 1 << 20 },
            Call::TakeResumed,
            Call::Judge(true),
            Call::Judge(false),
            Call::EndTurn(now),
            Call::Drain(now),
            Call::TurnTook(Duration::from_nanos(1_500_000_001)),
            Call::Wrote(Wrote::Bytes(0)),
            Call::Wrote(Wrote::Wait),
            Call::Wrote(Wrote::Again),
            Call::Wrote(Wrote::Failed),
        ];
        for call in &calls {
            let (mut line, mut buffer) = (String::new(), Vec::new());
            call.write(&mut line);
            let line = line.strip_suffix('\n').expect("a line ends");
            assert_eq!(
                Call::parse(line, &mut buffer).as_ref(),
                Some(call),
                "{line}"
            );
            assert_eq!(
                Call::parse(&format!("{line} x"), &mut Vec::new()),
                None,
                "nothing may follow"
            );
        }
    }

    #[test]
    fn odd_lines_are_none() {
        let long = format!("R 0 1 1 {}", "00".repeat(READ_BYTES + 1));
        for line in [
            "",
            " ",
            "X",
            "A",
            "A 1 1 nobody",
            "Q -1",
            "Q x",
            "R 0 1 1",
            "R 0 1 1 ",
            "R 0 1 1 0",
            "R 0 1 1 xy",
            "R 0 1 1 é",
            "E 0 1 1 x",
            "J 2",
            "S -1",
            &long,
        ] {
            assert_eq!(Call::parse(line, &mut Vec::new()), None, "{line:.20}");
        }
    }

    #[test]
    fn tokens_are_the_same_from_the_same_seed() {
        let of = |seed| {
            std::iter::repeat_with(tokens(seed))
                .take(3)
                .collect::<Vec<_>>()
        };
        assert_eq!(of([1; 16]), of([1; 16]));
        assert_ne!(of([1; 16]), of([2; 16]));
        assert_ne!(of([1; 16])[0], of([1; 16])[1]);
    }
}
