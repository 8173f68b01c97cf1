//! Where a head ends, and the first byte that can't be right (RFC 9112 §2 to §5).
//!
//! A small machine that looks at every byte exactly once, however the bytes are cut into pieces. It
//! knows the grammar of a
//! head's lines and nothing of what stands in them, and so does two things that a parser of whole
//! heads can't:
//! - the end is found without looking again at what was looked at. A server that parsed the
//!   unfinished head anew with each
//!   packet spent minutes on one slow client (CVE-2023-43669);
//! - what can never become a request (TLS, a bare line feed, a folded line) is refused at that
//!   byte. A timeout would hold a
//!   slot for ten seconds, and tell the person at the other end nothing.
//!
//! It is also the stricter of two checks, since `httparse` lets pass some things that RFC 9112
//! forbids.
//!
//! Not here: what the fields mean (`head`), the bytes themselves (`requests` keeps them).

use super::refusal::Refusal;
use crate::limits;
use crate::progress::Progress;

/// How far into a head the bytes have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    seen_bytes: usize,
    header_lines: u8,
    /// The version is spelled well and is not 1.0 or 1.1.
    other_version: bool,
    part: Part,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Start,
    Method,
    TargetStart,
    Target,
    /// The next byte's place in [`VERSION`].
    Version(u8),
    LineStart,
    Name,
    Value,
    /// Behind the CR of a header line.
    LineFeed,
    /// Behind the CR of the empty line.
    LastLineFeed,
    Whole,
}

/// `HTTP-version` and the end of its line (RFC 9112 §2.3); `d` is any digit.
const VERSION: &[u8; 10] = b"HTTP/d.d\r\n";
const MAJOR: u8 = 5;
const MINOR: u8 = 7;
const VERSION_END: u8 = 8;

const _: () = assert!(
    limits::HEADER_LINES < u8::MAX as usize,
    "the lines are counted in a byte"
);

impl Scan {
    /// Goes on with the next bytes of the same head. `used` is how many of *these* belong to it.
    ///
    /// Refuses with 400, 431 or 505 at the first byte after which no continuation could be accepted
    /// as far as lines go.
    pub(super) fn feed(
        &mut self,
        input: &[u8],
        max_head_bytes: usize,
    ) -> Result<Progress<()>, Refusal> {
        for (index, &byte) in input.iter().enumerate() {
            self.part = self.next(byte)?;
            self.seen_bytes += 1;
            if self.part == Part::Whole {
                return Ok(Progress::Done {
                    value: (),
                    used: index + 1,
                });
            }
            if self.seen_bytes >= max_head_bytes {
                return Err(Refusal::too_large(
                    "the head of the request is longer than --max-header-bytes allows",
                ));
            }
        }
        Ok(Progress::NeedMore)
    }

    /// How many bytes of this head have come.
    pub(super) fn seen_bytes(&self) -> usize {
        self.seen_bytes
    }

    /// One byte on.
    fn next(&mut self, byte: u8) -> Result<Part, Refusal> {
        use Part::*;
        Ok(match (self.part, byte) {
            (Start | Method, byte) if is_token(byte) => Method,
            (Start, b'\r' | b'\n') => return wrong("an empty line stands before the request"),
            (Start, 0x16) => return wrong("this port speaks http, and what came looks like https"),
            (Start, _) => return wrong("a request begins with its method"),
            (Method, b' ') => TargetStart,
            (Method, _) => return wrong("the method is not a token followed by one space"),
            // `*` and `host:port` are for OPTIONS and CONNECT (RFC 9112 §3.2.3, §3.2.4), which are
            // not spoken here.
            (TargetStart, b'/' | b'h' | b'H') => Target,
            (TargetStart, _) => {
                return wrong("the request target begins with neither a slash nor http");
            }
            (Target, b'#') => {
                return wrong("the request target has a fragment, which stays with the client");
            }
            // Somewhat more than RFC 3986 has: browsers send `|`, `^`, `{` and the like in a query
            // as they are.
            (Target, b'!'..=b'~') => Target,
            (Target, b' ') => Version(0),
            (Target, b'\r' | b'\n') => return wrong("the request line has no HTTP version"),
            (Target, _) => return wrong("the request target has a byte that is not visible ASCII"),
            (Version(at), byte) => self.version(at, byte)?,
            (LineStart, byte) if is_token(byte) => self.header_line()?,
            (LineStart, b'\r') => LastLineFeed,
            (LineStart, b' ' | b'\t') => {
                return wrong("a header line begins with white space: folded lines are not taken");
            }
            (LineStart, b':') => return wrong("a header has an empty name"),
            (LineStart, b'\n') => return wrong(BARE_LF),
            (LineStart, _) => return wrong(HEADER_NAME),
            (Name, byte) if is_token(byte) => Name,
            (Name, b':') => Value,
            (Name, b' ' | b'\t') => {
                return wrong("white space stands between a header's name and its colon");
            }
            (Name, b'\r' | b'\n') => return wrong("a header line has no colon"),
            (Name, _) => return wrong(HEADER_NAME),
            (Value, b'\t' | b' '..=b'~' | 0x80..) => Value,
            (Value, b'\r') => LineFeed,
            (Value, b'\n') => return wrong(BARE_LF),
            (Value, _) => return wrong("a header's value has a control character"),
            (LineFeed, b'\n') => LineStart,
            (LastLineFeed, b'\n') => Whole,
            (LineFeed | LastLineFeed, _) => return wrong(BARE_CR),
            // Nobody feeds a scan that is over; if one did, no request is made of it.
            (Whole, _) => return wrong("bytes stand behind the head of the request"),
        })
    }

    /// A byte of the version. One that is well spelled and not ours is told so (505) once it is
    /// known to be whole.
    ///
    /// A 1.2 could be read as 1.1 (RFC 9110 §6.2, a SHOULD). It was never published and nothing
    /// sends it but scanners.
    fn version(&mut self, at: u8, byte: u8) -> Result<Part, Refusal> {
        let fits = match VERSION[usize::from(at)] {
            b'd' => byte.is_ascii_digit(),
            expected => byte == expected,
        };
        match at {
            _ if !fits && byte == b'\n' && at == VERSION_END => wrong(BARE_LF),
            _ if !fits && at > VERSION_END => wrong(BARE_CR),
            _ if !fits => {
                wrong("the request line does not end with an HTTP version, such as HTTP/1.1")
            }
            VERSION_END if self.other_version => Err(Refusal::version()),
            _ if usize::from(at) + 1 == VERSION.len() => Ok(Part::LineStart),
            _ => {
                self.other_version |= (at == MAJOR && byte != b'1') || (at == MINOR && byte > b'1');
                Ok(Part::Version(at + 1))
            }
        }
    }

    /// The first byte of one more header line.
    fn header_line(&mut self) -> Result<Part, Refusal> {
        if usize::from(self.header_lines) == limits::HEADER_LINES {
            return Err(Refusal::too_large(format!(
                "the request has more than {} header lines",
                limits::HEADER_LINES
            )));
        }
        self.header_lines += 1;
        Ok(Part::Name)
    }
}

const BARE_LF: &str = "a line ends with a line feed alone, without the carriage return before it";
const BARE_CR: &str = "a carriage return stands without its line feed";
const HEADER_NAME: &str = "a header's name has a character that is not allowed in a token";

fn wrong(sentence: &'static str) -> Result<Part, Refusal> {
    Err(Refusal::bad_request(sentence))
}

/// `tchar` (RFC 9110 §5.6.2): what methods and names of headers are made of. Most bytes of a head
/// are asked for it.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}
