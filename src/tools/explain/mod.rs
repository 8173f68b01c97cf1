//! `parlor explain`: what is right and what is wrong with a handshake or with frames, and where the
//! standard says so.
//!
//! The server's own code is what speaks: `Head::parse`, `check`, `FrameHeader::decode`,
//! `WebSocket::receive`. Here is a printer.
//!
//! Not here: the two kinds (`handshake`, `frames`), colours (`terminal`).

mod frames;
mod handshake;

use crate::tools::Failure;
use crate::tools::terminal::Terminal;
use lexopt::Arg;
use std::ffi::OsString;
use std::io::Read;

/// What is explained at most, in bytes.
const INPUT_BYTES: u64 = 256 << 20;

/// Explains. `false`: a rule is broken.
pub(super) fn run(
    arguments: Vec<OsString>,
    input: &mut dyn Read,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let wrong = |error: lexopt::Error| Failure::wrong(error.to_string());
    let kind = match parser.next().map_err(wrong)? {
        Some(Arg::Value(kind)) => kind,
        Some(Arg::Long("help") | Arg::Short('h')) => {
            terminal.line(HELP);
            return Ok(true);
        }
        Some(other) => return Err(Failure::wrong(other.unexpected().to_string())),
        None => {
            return Err(Failure::wrong(
                "explain what? handshake or frames".to_owned(),
            ));
        }
    };
    let mut asked = Asked::default();
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("hex") => asked.hex.get_or_insert_default().push(' '),
            Arg::Long("json") => asked.is_json = true,
            Arg::Long("deflate") if cfg!(feature = "deflate") => asked.has_deflate = true,
            Arg::Long("deflate") => {
                return Err(Failure::wrong(
                    "this parlor was built without compression (the feature deflate)".to_owned(),
                ));
            }
            Arg::Long("from") => {
                asked.from_client = match parser.value().map_err(wrong)?.to_str() {
                    Some("client") => Some(true),
                    Some("server") => Some(false),
                    Some("auto") => None,
                    _ => {
                        return Err(Failure::wrong(
                            "--from must be client, server or auto".to_owned(),
                        ));
                    }
                };
            }
            Arg::Long("help") | Arg::Short('h') => {
                terminal.line(HELP);
                return Ok(true);
            }
            // Hex may come in several words, since nobody quotes it.
            Arg::Value(value) if asked.hex.is_some() => {
                let hex = asked.hex.get_or_insert_default();
                hex.push(' ');
                hex.push_str(&value.to_string_lossy());
                continue;
            }
            Arg::Value(value) if asked.file.is_none() => asked.file = Some(value),
            other => return Err(Failure::wrong(other.unexpected().to_string())),
        }
        if matches!(asked.hex.as_deref(), Some(" ")) {
            asked.hex = Some(
                parser
                    .value()
                    .map_err(wrong)?
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
    match kind.to_str() {
        Some("frames") => frames::explain(&asked, &asked.bytes(input)?, terminal),
        Some("handshake")
            if asked
                == (Asked {
                    file: asked.file.clone(),
                    ..Asked::default()
                }) =>
        {
            handshake::explain(&asked.bytes(input)?, terminal)
        }
        Some("handshake") => Err(Failure::wrong(
            "explain handshake takes a file and no options".to_owned(),
        )),
        _ => Err(Failure::wrong(format!(
            "explain handshake or frames, not {kind:?}"
        ))),
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    file: Option<OsString>,
    hex: Option<String>,
    is_json: bool,
    has_deflate: bool,
    /// Whose frames they are; none: as the first one's MASK bit says.
    from_client: Option<bool>,
}

impl Asked {
    /// What is to be explained: the hex, the file, or standard input.
    fn bytes(&self, input: &mut dyn Read) -> Result<Vec<u8>, Failure> {
        if self.hex.is_some() && self.file.is_some() {
            return Err(Failure::wrong("either --hex or a file".to_owned()));
        }
        if let Some(hex) = &self.hex {
            return crate::text::parse_hex(hex).map_err(Failure::wrong);
        }
        let (name, read) = match &self.file {
            Some(file) if file != "-" => (
                file.to_string_lossy().into_owned(),
                std::fs::File::open(file).and_then(|file| all(&mut { file })),
            ),
            _ => ("standard input".to_owned(), all(input)),
        };
        match read {
            Err(error) => Err(Failure::wrong(format!("can't read {name}: {error}"))),
            Ok(bytes) if bytes.is_empty() => {
                Err(Failure::wrong(format!("there is nothing in {name}")))
            }
            Ok(bytes) if bytes.len() as u64 > INPUT_BYTES => {
                Err(Failure::wrong(format!("{name} is longer than 256 MiB")))
            }
            Ok(bytes) => Ok(bytes),
        }
    }
}

fn all(input: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(INPUT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const HELP: &str = "\
Usage: parlor explain handshake [FILE]
       parlor explain frames [OPTION]... [--hex TEXT | FILE]

Says what is right and what is wrong with the opening handshake or the frames of a
WebSocket, and where RFC 6455 says so. Without a file: standard input. A handshake is
a request, or a request and the response behind it; what `curl -v` prints will do.
Frames are bytes, or their hexadecimal digits.

  --hex TEXT      the bytes, with or without spaces, commas, colons or 0x
  --from WHO      whose frames they are: client, server, or auto (the default):
                  a client's if the first one is masked
  --deflate       compression (RFC 7692) was agreed on, without context takeover
  --json          one object a line for each frame

Exit status: 0 where all is legal, 1 where a rule is broken, 2 for a wrong option.";
