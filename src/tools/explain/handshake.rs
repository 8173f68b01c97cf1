//! `parlor explain handshake`: a request, and perhaps the response to it, header by header.
//!
//! Not here: what is demanded (`websocket::handshake` and `client`), what a header is for
//! (`tools::headers`).

use crate::http::{Head, ResponseHead};
use crate::hub::Origins;
use crate::progress::Progress;
use crate::text::Escaped;
use crate::text::Hex;
use crate::tools::Failure;
use crate::tools::headers::purpose;
use crate::tools::terminal::{Style, Terminal};
use crate::websocket::client::{self, Asked};
use crate::websocket::handshake::{self, GUID, accept_sha1};
use crate::websocket::{accept, check};

/// As much as any server takes.
const HEAD_BYTES: usize = 64 << 10;

/// Explains them. `false`: a rule is broken.
pub(super) fn explain(bytes: &[u8], terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let (bytes, note) = as_on_the_wire(bytes);
    if let Some(note) = note {
        terminal.line(&terminal.paint(Style::Faint, note));
        terminal.line("");
    }
    if bytes.starts_with(b"HTTP/") {
        return Err(Failure::wrong(
            "a response alone can't be judged: the request has to stand before it".to_owned(),
        ));
    }
    let (head, used) = match Head::parse(&bytes, HEAD_BYTES) {
        Ok(Progress::Done { value, used }) => (value, used),
        Ok(Progress::NeedMore) => {
            return Ok(broken(
                "the request has no end: an empty line is missing (RFC 9112 §2.1)",
                terminal,
            ));
        }
        Err(refusal) => {
            let wrong = broken(
                &format!("{} (RFC 9112, RFC 9110 §7.2)", refusal.sentence),
                terminal,
            );
            terminal.line(&format!(
                "A server answers {}, and nothing behind that is looked at.",
                refusal.status
            ));
            return Ok(wrong);
        }
    };
    let is_right = request(&head, terminal);
    let key = key(&head);
    if let Some(key) = &key {
        steps(key, terminal);
    }
    let rest = bytes[used..].trim_ascii_start();
    if rest.is_empty() {
        return Ok(verdict(is_right, &head, terminal));
    }
    terminal.line("");
    match ResponseHead::parse(rest, HEAD_BYTES) {
        Ok(Progress::Done { value, .. }) => {
            let answer_is_right = response(&value, &head, key.as_deref(), terminal);
            Ok(verdict(is_right, &head, terminal) && answer_is_right)
        }
        Ok(Progress::NeedMore) => Ok(broken(
            "the response has no end: an empty line is missing (RFC 9112 §2.1)",
            terminal,
        )),
        Err(sentence) => Ok(broken(&format!("{sentence} (RFC 9112 §4)"), terminal)),
    }
}

/// Undoes what editors and `curl -v` do to lines. What has a single carriage return is taken as it
/// is.
fn as_on_the_wire(bytes: &[u8]) -> (Vec<u8>, Option<&'static str>) {
    if bytes.contains(&b'\r') && !bytes.starts_with(b"* ") && !bytes.starts_with(b"> ") {
        return (bytes.to_vec(), None);
    }
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_curl = lines.clone().any(|line| line.starts_with(b"> ")) && !bytes.starts_with(b"GET");
    let mut whole = Vec::new();
    let kept = lines.filter(|line| !is_curl || line.starts_with(b">") || line.starts_with(b"<"));
    for line in kept.map(|line| {
        if is_curl {
            line[1..].trim_ascii_start()
        } else {
            line
        }
    }) {
        whole.extend_from_slice(line);
        whole.extend_from_slice(b"\r\n");
    }
    whole.truncate(whole.trim_ascii_end().len());
    whole.extend_from_slice(b"\r\n\r\n");
    (
        whole,
        Some(
            "Each line is taken as if it ended with CR LF, and the last one with an empty line behind it: on the wire it must.",
        ),
    )
}

/// The request, line by line. `false`: something is wrong with it.
fn request(head: &Head<'_>, terminal: &mut Terminal<'_>) -> bool {
    let query = head
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let target = Escaped(head.path().as_bytes());
    terminal.line(&terminal.paint(
        Style::Strong,
        &format!(
            "{} {target}{} HTTP/1.{}",
            head.method(),
            Escaped(query.as_bytes()),
            head.minor_version()
        ),
    ));
    let judged = |about: &str| {
        let rule = handshake::REQUIREMENTS
            .iter()
            .find(|rule| rule.about.eq_ignore_ascii_case(about))?;
        Some((
            rule.section,
            (rule.judge)(head).map_err(|refusal| refusal.sentence.into_owned()),
        ))
    };
    let mut sheet = Sheet {
        terminal,
        is_right: true,
    };
    sheet.verdict("a GET", judged("method"));
    sheet.verdict("of HTTP/1.1", judged("version"));
    sheet.headers(head.headers(), judged);
    sheet.missing(
        handshake::REQUIREMENTS
            .iter()
            .map(|rule| rule.about)
            .filter(|about| !["method", "version"].contains(about)),
        judged,
        |about| head.values(about).next().is_some(),
    );
    sheet.is_right
}

/// The response, line by line. `false`: something is wrong with it.
fn response(
    head: &ResponseHead<'_>,
    request: &Head<'_>,
    key: Option<&str>,
    terminal: &mut Terminal<'_>,
) -> bool {
    terminal.line(&terminal.paint(
        Style::Strong,
        &format!("HTTP/1.{} {}", head.minor_version(), head.status()),
    ));
    let subprotocols: Vec<_> = request.tokens("sec-websocket-protocol").collect();
    let offered = request
        .tokens("sec-websocket-extensions")
        .map(|token| token.split(';').next().unwrap_or_default().trim());
    let extensions: Vec<_> = offered.collect();
    let asked = Asked {
        key: key.unwrap_or_default(),
        subprotocols: &subprotocols,
        extensions: &extensions,
    };
    let judged = |about: &str| {
        let rule = client::REQUIREMENTS
            .iter()
            .find(|rule| rule.about.eq_ignore_ascii_case(about))?;
        Some((
            rule.section,
            (rule.judge)(head, &asked).map_err(str::to_owned),
        ))
    };
    let mut sheet = Sheet {
        terminal,
        is_right: true,
    };
    sheet.verdict("Switching Protocols", judged("status"));
    sheet.headers(head.headers(), judged);
    sheet.missing(
        client::REQUIREMENTS
            .iter()
            .map(|rule| rule.about)
            .filter(|about| *about != "status"),
        judged,
        |about| head.values(about).next().is_some(),
    );
    sheet.is_right
}

/// A demand that was looked at: its section, and what is wrong.
type Judged = Option<(&'static str, Result<(), String>)>;

/// Verdicts, one below the other.
struct Sheet<'a, 'b> {
    terminal: &'a mut Terminal<'b>,
    is_right: bool,
}

impl Sheet<'_, '_> {
    fn verdict(&mut self, right: &str, judged: Judged) {
        let Some((section, result)) = judged else {
            return;
        };
        let (style, word, sentence) = match &result {
            Ok(()) => (Style::Right, "right", right),
            Err(sentence) => (Style::Wrong, "wrong", sentence.as_str()),
        };
        self.is_right &= result.is_ok();
        let word = self.terminal.paint(style, word);
        self.terminal
            .line(&format!("    {word}  {sentence} ({section})"));
    }

    /// Each header with what it is for, or with what is wrong with it.
    fn headers<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        judged: impl Fn(&str) -> Judged,
    ) {
        for (name, value) in headers {
            let name_shown = self
                .terminal
                .paint(Style::Strong, &format!("{}:", Escaped(name.as_bytes())));
            self.terminal
                .line(&format!("{name_shown} {}", Escaped(value)));
            match (judged(name), purpose(name)) {
                (Some(verdict), known) => self.verdict(
                    known.map_or("as it should be", |(_, purpose)| purpose),
                    Some(verdict),
                ),
                (None, Some((section, purpose))) => self
                    .terminal
                    .line(&format!("           {purpose} ({section})")),
                (None, None) => self
                    .terminal
                    .line("           has nothing to do with WebSocket"),
            }
        }
    }

    /// Headers that are demanded and not there.
    fn missing(
        &mut self,
        names: impl Iterator<Item = &'static str>,
        judged: impl Fn(&str) -> Judged,
        is_there: impl Fn(&str) -> bool,
    ) {
        for name in names.filter(|name| !is_there(name)) {
            if let Some((_, Err(_))) = judged(name) {
                let shown = self.terminal.paint(Style::Strong, &format!("({name})"));
                self.terminal.line(&shown);
                self.verdict("", judged(name));
            }
        }
    }
}

fn key(head: &Head<'_>) -> Option<String> {
    head.values("sec-websocket-key")
        .next()
        .and_then(|key| str::from_utf8(key).ok())
        .map(str::to_owned)
}

/// How the accept value comes about (RFC 6455 §4.2.2, 5.4).
fn steps(key: &str, terminal: &mut Terminal<'_>) {
    terminal.line("");
    let heading = terminal.paint(Style::Strong, "The value of Sec-WebSocket-Accept");
    terminal.line(&format!("{heading} (RFC 6455 §4.2.2, 5.4)"));
    let shown = Escaped(key.as_bytes()).to_string();
    terminal.line(&format!("    the key                    {shown}"));
    terminal.line(&format!("    and the GUID behind it     {shown}{GUID}"));
    terminal.line(&format!(
        "    of that the SHA-1          {:x}",
        Hex(&accept_sha1(key))
    ));
    let value = terminal.paint(Style::Right, &accept(key));
    terminal.line(&format!("    of those 20 bytes base64   {value}"));
}

fn broken(sentence: &str, terminal: &mut Terminal<'_>) -> bool {
    let word = terminal.paint(Style::Wrong, "wrong");
    terminal.line(&format!("{word}  {sentence}"));
    false
}

/// What the server's own `check` says of the request as a whole.
fn verdict(is_right: bool, head: &Head<'_>, terminal: &mut Terminal<'_>) -> bool {
    terminal.line("");
    match check(head) {
        Ok(upgrade) => {
            let subprotocol = upgrade
                .subprotocol()
                .map_or("no subprotocol".to_owned(), |name| {
                    format!("the subprotocol {name}")
                });
            let deflate = if upgrade.deflate().is_some() {
                "compression"
            } else {
                "no compression"
            };
            terminal.line(&format!(
                "parlor would answer 101, with {subprotocol} and {deflate}."
            ));
            if let Err(refusal) = Origins::SameHost.check(head) {
                terminal.line(&format!(
                    "But the page of this Origin it refuses with {}, unless --origin names it.",
                    refusal.status
                ));
            }
            is_right
        }
        Err(refusal) => {
            terminal.line(&format!(
                "parlor would answer {}: {}.",
                refusal.status, refusal.sentence
            ));
            false
        }
    }
}
