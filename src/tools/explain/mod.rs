//! `parlor explain`: what is right and wrong with a handshake or with frames, and where the
//! standard says so. The server's own code judges them; this only prints what it says.

pub(super) mod frames;
mod handshake;

use super::terminal::Terminal;
use super::tool::{Failure, Tool};
use crate::cli::args::Arguments;
use crate::text::parse_hex;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};

pub(super) const TOOL: Tool = Tool {
    usage: "explain handshake|frames",
    help: "check a handshake or frames, and name the sections of the standard",
    manual: HELP,
    options: &["hex=", "from=", "deflate", "json"],
    operands: usize::MAX,
    run,
};

const HELP: &str = "\
Usage: parlor explain handshake [FILE]
       parlor explain frames [OPTION]... [--hex TEXT | FILE]

Says what is right and wrong with the opening handshake or the frames of a WebSocket,
and where RFC 6455 says so. Without a file, it reads standard input. A handshake is a
request, optionally followed by its response; the output of `curl -v` works too.
Frames are bytes, or their hexadecimal digits.

  --hex TEXT      the bytes, with or without spaces, commas, colons or 0x
  --from WHO      the sender: client, server, or auto (the default): a client if
                  the first frame is masked
  --deflate       compression (RFC 7692) was negotiated, without context takeover
  --json          print one object a line for each frame

Exit status: 0 if everything is valid, 1 if a rule is broken, 2 for a wrong option.";

/// Explains a handshake or frames. `false`: a rule is broken.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let Some((kind, operands)) = given.operands.split_first() else {
        return Err(Failure::wrong("explain what? handshake or frames"));
    };
    let is_hex = given.has("hex");
    let bytes = match operands {
        // The digits may be several words.
        words if is_hex => {
            let words = words.iter().map(OsString::as_os_str);
            let words = given.values("hex").chain(words).map(OsStr::to_string_lossy);
            parse_hex(&words.collect::<Vec<_>>().join(" ")).map_err(Failure::Wrong)?
        }
        [_, other, ..] => return Err(Failure::wrong(format!("unexpected argument {other:?}"))),
        file => read(file.first())?,
    };
    match kind.to_str() {
        Some("handshake") if given.has_options() => Err(Failure::wrong(
            "explain handshake takes a file and no options",
        )),
        Some("handshake") => handshake::explain(&bytes, terminal),
        Some("frames") => frames::explain(given, bytes, is_hex, terminal),
        _ => Err(Failure::wrong(format!(
            "explain handshake or frames, not {kind:?}"
        ))),
    }
}

fn read(file: Option<&OsString>) -> Result<Vec<u8>, Failure> {
    let file = file.filter(|file| *file != "-");
    let name = file.map_or("standard input".into(), |file| file.to_string_lossy());
    let mut bytes = Vec::new();
    let read = match file {
        Some(file) => fs::read(file).map(|read| bytes = read),
        None => io::stdin().read_to_end(&mut bytes).map(drop),
    };
    read.map_err(|error| Failure::wrong(format!("can't read {name}: {error}")))?;
    if bytes.is_empty() {
        return Err(Failure::wrong(format!("there is nothing in {name}")));
    }
    Ok(bytes)
}
