//! `parlor explain`: what is right and wrong with a handshake or with frames, and where the
//! standard says so. The server's own code judges them; this only prints what it says.

mod frames;
mod handshake;

use super::terminal::Terminal;
use super::{Failure, arguments};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;

/// The longest input, in bytes.
const INPUT_BYTES: u64 = 256 << 20;

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
pub(super) fn run(
    given: Vec<OsString>,
    input: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let options = ["hex=", "from=", "deflate", "json"];
    let Some(given) = arguments(given, usize::MAX, &options, HELP, terminal)? else {
        return Ok(true);
    };
    let Some((kind, operands)) = given.operands.split_first() else {
        return Err(Failure::wrong("explain what? handshake or frames"));
    };
    let has_options = ["hex", "from", "deflate", "json"]
        .iter()
        .any(|name| given.has(name));
    let hex: Vec<_> = given.values("hex").collect();
    let bytes = match (&hex[..], operands) {
        ([], []) => read(None, input)?,
        ([], [file]) => read(Some(file), input)?,
        ([], [_, other, ..]) => {
            return Err(Failure::wrong(format!("unexpected argument {other:?}")));
        }
        // Hex may be several words.
        (hex, words) => {
            let words = hex
                .iter()
                .copied()
                .chain(words.iter().map(OsString::as_os_str));
            let text: Vec<_> = words.map(OsStr::to_string_lossy).collect();
            crate::text::parse_hex(&text.join(" ")).map_err(Failure::Wrong)?
        }
    };
    match kind.to_str() {
        Some("handshake") if has_options => Err(Failure::wrong(
            "explain handshake takes a file and no options",
        )),
        Some("handshake") => handshake::explain(&bytes, terminal),
        Some("frames") => {
            if given.has("deflate") && cfg!(not(feature = "deflate")) {
                let error = "--deflate needs a parlor that was built with the feature deflate";
                return Err(Failure::wrong(error));
            }
            let options = frames::Options {
                is_hex: !hex.is_empty(),
                is_json: given.has("json"),
                has_deflate: given.has("deflate"),
                from_client: match given.values("from").next_back().map(OsStr::to_str) {
                    None | Some(Some("auto")) => None,
                    Some(Some("client")) => Some(true),
                    Some(Some("server")) => Some(false),
                    _ => return Err(Failure::wrong("--from must be client, server or auto")),
                },
            };
            frames::explain(&options, &bytes, terminal)
        }
        _ => Err(Failure::wrong(format!(
            "explain handshake or frames, not {kind:?}"
        ))),
    }
}

/// Reads a file, or standard input.
fn read(file: Option<&OsString>, input: &mut dyn Read) -> Result<Vec<u8>, Failure> {
    let file = file.filter(|file| *file != "-");
    let name = file.map_or("standard input".into(), |file| file.to_string_lossy());
    let cant = |error| Failure::wrong(format!("can't read {name}: {error}"));
    let mut bytes = Vec::new();
    match file {
        Some(file) => {
            File::open(file).and_then(|file| file.take(INPUT_BYTES + 1).read_to_end(&mut bytes))
        }
        None => input.take(INPUT_BYTES + 1).read_to_end(&mut bytes),
    }
    .map_err(cant)?;
    match bytes.len() as u64 {
        0 => Err(Failure::wrong(format!("there is nothing in {name}"))),
        1..=INPUT_BYTES => Ok(bytes),
        _ => Err(Failure::wrong(format!("{name} is longer than 256 MiB"))),
    }
}
