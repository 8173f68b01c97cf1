//! `parlor explain handshake`: a request, and the response to it if there is one, header by header.

use crate::http::{Head, ResponseHead};
use crate::hub::Origins;
use crate::progress::Progress;
use crate::text::{Escaped, Hex};
use crate::tools::Failure;
use crate::tools::headers::purpose;
use crate::tools::terminal::{Style, Terminal};
use crate::websocket::client::{self, Asked};
use crate::websocket::handshake::{self, GUID, accept_sha1};
use crate::websocket::{accept, check};

/// No server accepts longer headers.
const HEAD_BYTES: usize = 64 << 10;

/// Explains the handshake. `false`: a rule is broken.
pub(super) fn explain(bytes: &[u8], terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let (bytes, is_changed) = as_sent(bytes);
    if is_changed {
        let note = "Each line is read as if it ended with CR LF, and an empty line followed the \
                    last one, as it must when it is sent.";
        terminal.line(&terminal.paint(Style::Faint, note));
        terminal.line("");
    }
    if bytes.starts_with(b"HTTP/") {
        return Err(Failure::wrong("a response needs its request before it"));
    }
    let mut sheet = Sheet {
        terminal,
        is_right: true,
    };
    let (head, used) = match Head::parse(&bytes, HEAD_BYTES) {
        Ok(Progress::Done { value, used }) => (value, used),
        Ok(Progress::NeedMore) => {
            sheet.wrong("the request has no end: an empty line is missing (RFC 9112 §2.1)");
            return Ok(false);
        }
        Err(refusal) => {
            sheet.wrong(&format!("{} (RFC 9112, RFC 9110 §7.2)", refusal.sentence));
            let line = format!("A server answers {} and ignores the rest.", refusal.status);
            sheet.terminal.line(&line);
            return Ok(false);
        }
    };
    sheet.request(&head);
    let key = head.values("sec-websocket-key").next();
    let key = key
        .and_then(|key| str::from_utf8(key).ok())
        .unwrap_or_default();
    if !key.is_empty() {
        sheet.show_accept(key);
    }
    let rest = bytes[used..].trim_ascii_start();
    if !rest.is_empty() {
        sheet.terminal.line("");
        match ResponseHead::parse(rest, HEAD_BYTES) {
            Ok(Progress::Done { value, .. }) => sheet.response(&value, &head, key),
            Ok(Progress::NeedMore) => {
                sheet.wrong("the response has no end: an empty line is missing (RFC 9112 §2.1)");
                return Ok(false);
            }
            Err(error) => {
                sheet.wrong(&format!("{error} (RFC 9112 §4)"));
                return Ok(false);
            }
        }
    }
    sheet.verdict(&head);
    Ok(sheet.is_right)
}

/// Undoes what editors and `curl -v` do to lines. Anything else that has a carriage return is used
/// as it is.
fn as_sent(bytes: &[u8]) -> (Vec<u8>, bool) {
    let is_curl = bytes.starts_with(b"* ") || bytes.starts_with(b"> ") || {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        !bytes.starts_with(b"GET")
            && !bytes.contains(&b'\r')
            && lines.any(|line| line.starts_with(b"> "))
    };
    if bytes.contains(&b'\r') && !is_curl {
        return (bytes.to_vec(), false);
    }
    let mut sent = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = match (is_curl, line) {
            (false, line) => line,
            (true, [b'>' | b'<', line @ ..]) => line.trim_ascii_start(),
            (true, _) => continue,
        };
        sent.extend_from_slice(line);
        sent.extend_from_slice(b"\r\n");
    }
    sent.truncate(sent.trim_ascii_end().len());
    sent.extend_from_slice(b"\r\n\r\n");
    (sent, true)
}

/// A requirement of the standard, and what is wrong.
struct Judged {
    about: &'static str,
    section: &'static str,
    error: Option<String>,
}

/// The printed lines, and whether everything is right so far.
struct Sheet<'a, 'b> {
    terminal: &'a mut Terminal<'b>,
    is_right: bool,
}

impl Sheet<'_, '_> {
    fn request(&mut self, head: &Head<'_>) {
        let query = head.query().map(|query| format!("?{query}"));
        let target = format!("{}{}", head.path(), query.unwrap_or_default());
        let target = Escaped(target.as_bytes());
        let line = format!("{} {target} HTTP/1.{}", head.method(), head.minor_version());
        let judged = handshake::REQUIREMENTS.iter().map(|rule| Judged {
            about: rule.about,
            section: rule.section,
            error: (rule.judge)(head)
                .err()
                .map(|refusal| refusal.sentence.into_owned()),
        });
        let first_line = [("method", "a GET request"), ("version", "of HTTP/1.1")];
        self.head(&line, &first_line, head.headers(), judged.collect());
    }

    fn response(&mut self, head: &ResponseHead<'_>, request: &Head<'_>, key: &str) {
        let subprotocols: Vec<_> = request.tokens("sec-websocket-protocol").collect();
        let offers = request.tokens("sec-websocket-extensions");
        let names = offers.map(|offer| offer.split(';').next().unwrap_or_default().trim());
        let asked = Asked {
            key,
            subprotocols: &subprotocols,
            extensions: &names.collect::<Vec<_>>(),
        };
        let judged = client::REQUIREMENTS.iter().map(|rule| Judged {
            about: rule.about,
            section: rule.section,
            error: (rule.judge)(head, &asked).err().map(str::to_owned),
        });
        let line = format!("HTTP/1.{} {}", head.minor_version(), head.status());
        let first_line = [("status", "Switching Protocols")];
        self.head(&line, &first_line, head.headers(), judged.collect());
    }

    /// Prints the first line and each header, with its purpose or what is wrong with it, then the
    /// missing headers. `first_line` has the requirements on the first line.
    fn head<'h>(
        &mut self,
        line: &str,
        first_line: &[(&str, &str)],
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        mut judged: Vec<Judged>,
    ) {
        self.terminal
            .line(&self.terminal.paint(Style::Strong, line));
        for (about, right) in first_line {
            for judged in judged.extract_if(.., |judged| judged.about == *about) {
                self.judged(&judged, right);
            }
        }
        let mut seen = Vec::new();
        for (name, value) in headers {
            let shown = format!("{}:", Escaped(name.as_bytes()));
            let shown = self.terminal.paint(Style::Strong, &shown);
            self.terminal.line(&format!("{shown} {}", Escaped(value)));
            let requirement = judged.iter().find(|it| it.about.eq_ignore_ascii_case(name));
            match (requirement, purpose(name)) {
                (Some(judged), purpose) => {
                    seen.push(judged.about);
                    self.judged(judged, purpose.map_or("valid", |(_, purpose)| purpose));
                }
                (None, Some((section, purpose))) => {
                    self.terminal
                        .line(&format!("           {purpose} ({section})"));
                }
                (None, None) => self.terminal.line("           not related to WebSocket"),
            }
        }
        judged.retain(|judged| judged.error.is_some() && !seen.contains(&judged.about));
        for missing in judged {
            let shown = format!("({})", missing.about);
            self.terminal
                .line(&self.terminal.paint(Style::Strong, &shown));
            self.judged(&missing, "");
        }
    }

    /// Prints what is wrong, or `right` if nothing is.
    fn judged(&mut self, judged: &Judged, right: &str) {
        let (style, word, sentence) = match &judged.error {
            None => (Style::Right, "right", right),
            Some(error) => (Style::Wrong, "wrong", error.as_str()),
        };
        self.is_right &= judged.error.is_none();
        let word = self.terminal.paint(style, word);
        self.terminal
            .line(&format!("    {word}  {sentence} ({})", judged.section));
    }

    /// Prints how the accept value is computed.
    fn show_accept(&mut self, key: &str) {
        let (shown, sha1) = (Escaped(key.as_bytes()), accept_sha1(key));
        let heading = "How Sec-WebSocket-Accept is computed";
        let heading = self.terminal.paint(Style::Strong, heading);
        let value = self.terminal.paint(Style::Right, &accept(key));
        self.terminal.line("");
        self.terminal
            .line(&format!("{heading} (RFC 6455 §4.2.2, 5.4)"));
        self.terminal
            .line(&format!("    the request's key          {shown}"));
        self.terminal
            .line(&format!("    plus the GUID of the RFC   {shown}{GUID}"));
        self.terminal
            .line(&format!("    its SHA-1, in hex          {:x}", Hex(&sha1)));
        self.terminal
            .line(&format!("    those 20 bytes in base64   {value}"));
    }

    fn wrong(&mut self, sentence: &str) {
        self.is_right = false;
        let word = self.terminal.paint(Style::Wrong, "wrong");
        self.terminal.line(&format!("{word}  {sentence}"));
    }

    /// Prints what the server's own `check` says of the request.
    fn verdict(&mut self, head: &Head<'_>) {
        self.terminal.line("");
        let upgrade = match check(head) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                let (status, sentence) = (refusal.status, refusal.sentence);
                self.is_right = false;
                return self
                    .terminal
                    .line(&format!("parlor would answer {status}: {sentence}."));
            }
        };
        let subprotocol = upgrade
            .subprotocol()
            .map(|name| format!("the subprotocol {name}"));
        let subprotocol = subprotocol.unwrap_or("no subprotocol".to_owned());
        let compression = match upgrade.deflate() {
            Some(_) => "compression",
            None => "no compression",
        };
        let line = format!("parlor would answer 101, with {subprotocol} and {compression}.");
        self.terminal.line(&line);
        if let Err(refusal) = Origins::SameHost.check(head) {
            let status = refusal.status;
            let line = format!(
                "But it refuses with {status} a page of this Origin, unless --origin allows it."
            );
            self.terminal.line(&line);
        }
    }
}
