//! `parlor explain handshake`: a request, and the response to it if there is one, header by header.

use crate::http::{Head, ResponseHead};
use crate::hub::{Origins, handshake_config};
use crate::progress::Progress;
use crate::text::Hex;
use crate::tools::headers::purpose;
use crate::tools::terminal::{Style, Terminal};
use crate::tools::tool::Failure;
use crate::websocket::client::{self, Asked};
use crate::websocket::handshake::{self, GUID, accept_sha1};
use crate::websocket::{ServerHandshake, accept};

/// No server accepts longer headers.
const HEAD_BYTES: usize = 64 << 10;

pub(super) fn explain(bytes: &[u8], terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let (bytes, is_changed) = as_sent(bytes);
    if bytes.starts_with(b"HTTP/") {
        return Err(Failure::wrong("a response needs its request before it"));
    }
    if is_changed {
        let note = "Each line is read as if it ended with CR LF, and an empty line followed the \
                    last one, as it must when it is sent.";
        terminal.styled(Style::Faint, note);
        terminal.line("");
    }
    let is_right = true;
    let mut sheet = Sheet { terminal, is_right };
    if let Err(sentence) = sheet.both(&bytes) {
        let word = sheet.terminal.paint(Style::Wrong, "wrong");
        sheet.terminal.line(&format!("{word}  {sentence}"));
        return Ok(false);
    }
    Ok(sheet.is_right)
}

/// Undoes what editors and `curl -v` do to lines. Anything else that has a carriage return is used
/// as it is.
fn as_sent(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let is_curl = lines.any(|line| line.starts_with(b"> "));
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

/// The subject of a requirement, its section, and what is wrong.
type Judged = (&'static str, &'static str, Option<String>);

/// The printed lines, and whether everything is right so far.
struct Sheet<'a, 'b> {
    terminal: &'a mut Terminal<'b>,
    is_right: bool,
}

impl Sheet<'_, '_> {
    /// Explains the request and the response. An error says why one can't be parsed.
    fn both(&mut self, bytes: &[u8]) -> Result<(), String> {
        let missing = |of| format!("the {of} has no end: an empty line is missing (RFC 9112 §2.1)");
        let (head, used) = match Head::parse(bytes, HEAD_BYTES) {
            Ok(Progress::Done { value, used }) => (value, used),
            Ok(Progress::NeedMore) => return Err(missing("request")),
            Err(refusal) => {
                let (status, sentence) = (refusal.status, refusal.sentence);
                let sections = "RFC 9112, RFC 9110 §7.2";
                return Err(format!(
                    "{sentence} ({sections}); a server answers {status}"
                ));
            }
        };
        self.request(&head);
        let key = head.values("sec-websocket-key").next();
        let key = str::from_utf8(key.unwrap_or_default()).unwrap_or_default();
        if !key.is_empty() {
            self.show_accept(key);
        }
        let rest = bytes[used..].trim_ascii_start();
        if !rest.is_empty() {
            self.terminal.line("");
            match ResponseHead::parse(rest, HEAD_BYTES) {
                Ok(Progress::Done { value, .. }) => self.response(&value, &head, key),
                Ok(Progress::NeedMore) => return Err(missing("response")),
                Err(error) => return Err(format!("{error} (RFC 9112 §4)")),
            }
        }
        self.verdict(&head);
        Ok(())
    }

    fn request(&mut self, head: &Head<'_>) {
        let query = head.query.map(|query| format!("?{query}"));
        let target = format!("{}{}", head.path, query.unwrap_or_default());
        let target = target.as_bytes().escape_ascii();
        let line = format!("{} {target} HTTP/1.{}", head.method, head.minor_version);
        let judged = handshake::REQUIREMENTS.iter().map(|rule| {
            let error = (rule.judge)(head).err();
            let error = error.map(|refusal| refusal.sentence.into());
            (rule.about, rule.section, error)
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
        let judged = client::REQUIREMENTS.iter().map(|rule| {
            let error = (rule.judge)(head, &asked).err();
            (rule.about, rule.section, error.map(str::to_owned))
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
        self.terminal.styled(Style::Strong, line);
        for (about, right) in first_line {
            for judged in judged.extract_if(.., |judged| judged.0 == *about) {
                self.judged(&judged, right);
            }
        }
        let mut seen = Vec::new();
        for (name, value) in headers {
            let shown = format!("{}:", name.as_bytes().escape_ascii());
            let shown = self.terminal.paint(Style::Strong, &shown);
            self.terminal
                .line(&format!("{shown} {}", value.escape_ascii()));
            let purpose = purpose(name);
            let mut known = judged.iter();
            if let Some(judged) = known.find(|it| it.0.eq_ignore_ascii_case(name)) {
                seen.push(judged.0);
                self.judged(judged, purpose.map_or("valid", |(_, purpose)| purpose));
                continue;
            }
            let purpose = purpose.map(|(section, purpose)| format!("{purpose} ({section})"));
            let purpose = purpose.unwrap_or("not related to WebSocket".to_owned());
            self.terminal.line(&format!("           {purpose}"));
        }
        judged.retain(|(about, _, error)| error.is_some() && !seen.contains(about));
        for missing in judged {
            let shown = format!("({})", missing.0);
            self.terminal.styled(Style::Strong, &shown);
            self.judged(&missing, "");
        }
    }

    /// Prints what is wrong, or `right` if nothing is.
    fn judged(&mut self, (_, section, error): &Judged, right: &str) {
        let (style, word, sentence) = match error {
            None => (Style::Right, "right", right),
            Some(error) => (Style::Wrong, "wrong", error.as_str()),
        };
        self.is_right &= error.is_none();
        let word = self.terminal.paint(style, word);
        let line = format!("    {word}  {sentence} ({section})");
        self.terminal.line(&line);
    }

    fn show_accept(&mut self, key: &str) {
        let heading = "How Sec-WebSocket-Accept is computed";
        let heading = self.terminal.paint(Style::Strong, heading);
        let value = self.terminal.paint(Style::Right, &accept(key));
        let (key, sha1) = (key.as_bytes().escape_ascii(), accept_sha1(key));
        let sha1 = Hex(&sha1);
        self.terminal.line(&format!(
            "
{heading} (RFC 6455 §4.2.2, 5.4)
    the request's key          {key}
    plus the GUID of the RFC   {key}{GUID}
    its SHA-1, in hex          {sha1:x}
    those 20 bytes in base64   {value}"
        ));
    }

    /// Prints what the server would answer to the request.
    fn verdict(&mut self, head: &Head<'_>) {
        self.terminal.line("");
        let upgrade = match ServerHandshake::from_head(head, &handshake_config()) {
            Ok(upgrade) => upgrade,
            Err(refusal) => {
                self.is_right = false;
                let (status, sentence) = (refusal.status, refusal.sentence);
                let line = format!("parlor would answer {status}: {sentence}.");
                return self.terminal.line(&line);
            }
        };
        let subprotocol = match &upgrade.accepted.subprotocol {
            Some(name) => format!("the subprotocol {name}"),
            None => "no subprotocol".to_owned(),
        };
        let has_deflate = upgrade.accepted.deflate.is_some();
        let no = if has_deflate { "" } else { "no " };
        let line = format!("parlor would answer 101, with {subprotocol} and {no}compression.");
        self.terminal.line(&line);
        if let Err(refusal) = Origins::SameHost.check(head) {
            let status = refusal.status;
            self.terminal.line(&format!(
                "But it refuses with {status} a page of this Origin, unless --origin allows it."
            ));
        }
    }
}
