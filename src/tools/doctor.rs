//! `parlor doctor`: how a server is reached, as a client on the other side of its proxies sees it.
//!
//! Four steps: `/healthz`, an upgrade with the page's `Origin`, what the server saw (the wire
//! view's trace of the handshake), and a silent socket. Each problem has a code, a sentence in
//! `SENTENCES`, and lines to add in `www/texts/fixes.js`, which the page's connection check shows
//! too.

use super::address::{Address, Answer, ask, upgrade};
use super::link::{Tapped, is_temporary, next_text, over, remark};
use super::terminal::{Style, Terminal};
use super::tool::{Failure, Tool, check_headers, number};
use super::tunnel::{Tunnel, connect};
use crate::blocking::Connection;
use crate::cli::args::Arguments;
use crate::cli::serve::random;
use crate::text::EscapedText;
use crate::websocket::client::key;
use serde_json::Value;
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// The time for a connection, and for each answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The silence that a connection must survive, in seconds: more than the usual minute.
const WAIT: usize = 75;
/// A clock that differs by more is wrong, in milliseconds.
const CLOCK_MS: u64 = 10_000;
/// The message that is sent to `/echo`.
const HELLO: &str = "parlor doctor";

const HELP: &str = "\
Usage: parlor doctor [OPTIONS] URL

Checks how a parlor server is reached through its proxies: TLS, the upgrade to
WebSocket, what the server saw of the request, a silent connection, and the clocks.
The URL is that of the page, such as https://chat.example/. For each problem it
prints the options of parlor, or the lines for nginx and Caddy, that mend it.

  --wait S       how long the connection is silent, in seconds (75)
  --header LINE  send this header, such as 'Authorization: Basic ...'; repeatable
  --connect CMD  use standard input and output of this command as the connection. For
                 https:// it is 'openssl s_client -quiet -verify_return_error ...'

Exit status: 0 if there is no problem, 1 if there is one, 2 for a wrong option.";

pub(super) const TOOL: Tool = Tool {
    usage: "doctor URL",
    help: "check how a server is reached through its proxies",
    manual: HELP,
    options: &["wait=", "header=", "connect="],
    operands: 1,
    run,
};

/// The code of each problem, and its sentence. `{detail}` is the value that was found.
const SENTENCES: &str = "\
unreachable | no HTTP server answers at this address
certificate | the TLS certificate is not valid for this name
redirect | the address redirects to {detail}; check that one
password | the proxy asks for a password; give it with --header 'Authorization: Basic ...'
upstream | the proxy does not reach parlor: it answers {detail}
other | the server at this address answers {detail}, and not as parlor does
path | the proxy passes the path {path} on, and parlor has no page of this name
upgrade | the proxy does not pass the headers Upgrade and Connection on, so no WebSocket opens
http-1.0 | the proxy speaks HTTP/1.0 with parlor, and WebSocket needs HTTP/1.1
refused | the WebSocket is refused: {detail}
buffering | the proxy holds messages back (buffering)
timeout | the connection was closed after {detail} s of silence: a timeout of the proxy
host | the proxy sends a wrong Host header: {detail} instead of {host}
trusted-proxy | all visitors count as {detail}, a proxy that parlor does not trust
forwarded | the proxy does not say for whom it asks: there is no X-Forwarded-For
origin | parlor refuses the page of {origin}
tls | {detail}
tls-elsewhere | TLS ends at a proxy in front, and --origin has not the scheme that browsers show
clock | the clocks differ by {detail} s";

/// Runs the checks. `false`: there is a problem.
fn run(given: &Arguments, terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    let mut doctor = Doctor::new(given, terminal)?;
    doctor.examine()?;
    let problems = doctor.problems;
    let verdict = match problems {
        0 => "no problem found".to_owned(),
        1 => "1 problem".to_owned(),
        _ => format!("{problems} problems"),
    };
    terminal.line(&verdict);
    Ok(problems == 0)
}

struct Doctor<'a, 'b> {
    terminal: &'a mut Terminal<'b>,
    address: Address,
    has_tls: bool,
    command: Option<String>,
    headers: String,
    wait: Duration,
    problems: usize,
}

/// A WebSocket to `/echo`.
struct Open {
    connection: Connection<Tapped>,
    /// The server refused the page's `Origin`, and this is a connection without one.
    is_refused: bool,
    _tunnel: Tunnel,
}

impl Open {
    /// Sends a message and waits for its echo. `false` too if the trace of the handshake comes only
    /// with it; other traces are dropped.
    fn is_echoed(&mut self) -> bool {
        let sent = self.connection.send(HELLO);
        let (until, mut is_late) = (Instant::now() + TIMEOUT, sent.is_err());
        while let Ok(Some(text)) = next_text(&mut self.connection, until) {
            if text == HELLO {
                return !is_late;
            }
            is_late |= text.contains("\"handshake\"");
        }
        false
    }
}

fn is_refused_origin(answer: &Answer) -> bool {
    answer.status == 403 && answer.first_line().contains("--origin")
}

impl<'a, 'b> Doctor<'a, 'b> {
    fn new(given: &Arguments, terminal: &'a mut Terminal<'b>) -> Result<Self, Failure> {
        let url = given.operand("the address").map_err(Failure::Wrong)?;
        let url = url.to_string_lossy();
        let mut address = Address::parse(&url).map_err(Failure::wrong)?;
        let has_tls = ["https", "wss"].contains(&&*address.scheme);
        address.scheme = if has_tls { "https" } else { "http" }.to_owned();
        let path = address.target.split('?').next().unwrap_or_default();
        let path = path.trim_end_matches("/chat").trim_end_matches('/');
        address.target = format!("{path}/");
        let text = |value: &OsStr| value.to_string_lossy().into_owned();
        let mut command = given.value("connect").map(text);
        if has_tls && command.is_none() {
            const NO_OPENSSL: &str = "https:// needs the program openssl, or --connect";
            let openssl = Command::new("openssl").arg("version").output();
            openssl.map_err(|_| Failure::failed(NO_OPENSSL))?;
            command = Some(tls_command(&address)?);
        }
        let headers: Vec<_> = given.values("header").map(text).collect();
        check_headers(&headers)?;
        Ok(Self {
            terminal,
            address,
            has_tls,
            command,
            headers: headers.iter().map(|line| format!("{line}\r\n")).collect(),
            wait: Duration::from_secs(number(given, "wait")?.unwrap_or(WAIT) as u64),
            problems: 0,
        })
    }

    fn good(&mut self, text: &str) {
        let word = self.terminal.paint(Style::Right, "ok");
        self.terminal.line(&format!("{word}       {text}"));
    }

    fn note(&mut self, text: &str) {
        self.terminal.line(&format!("note     {text}"));
    }

    /// Prints a problem, and the lines that mend it: `detail` replaces `{address}` and `{seconds}`
    /// in them, and half of it `{ping}`.
    fn problem(&mut self, code: &str, detail: &str) {
        self.problems += 1;
        let (host, path) = (&self.address.authority, &self.address.target);
        let origin = format!("{}://{host}", self.address.scheme);
        let ping = detail.parse::<u64>().unwrap_or_default() / 2;
        let fill = |text: &str| {
            let text = text.replace("{origin}", &origin).replace("{path}", path);
            let text = text.replace("{ping}", &ping.max(1).to_string());
            let text = text.replace("{host}", host).replace("{detail}", detail);
            text.replace("{address}", detail)
                .replace("{seconds}", detail)
        };
        let row = |line: &'static str| line.strip_prefix(code)?.strip_prefix(" | ");
        let sentence = fill(SENTENCES.lines().find_map(row).unwrap_or_default());
        let word = self.terminal.paint(Style::Wrong, "problem");
        self.terminal.line(&format!("{word}  {code}: {sentence}"));
        for (place, lines) in fixes()[code].as_object().into_iter().flatten() {
            self.terminal.line(&format!("         {place}:"));
            for line in lines.as_array().into_iter().flatten() {
                let line = fill(line.as_str().unwrap_or_default());
                self.terminal.line(&format!("             {line}"));
            }
        }
    }

    fn examine(&mut self) -> Result<(), Failure> {
        if !self.is_reached()? {
            return Ok(());
        }
        self.check_tls();
        let Some(mut open) = self.open()? else {
            return Ok(());
        };
        let trace = next_text(&mut open.connection, Instant::now() + TIMEOUT);
        let trace = trace.ok().flatten();
        let is_echoed = open.is_echoed();
        match trace.and_then(|trace| serde_json::from_str::<Value>(&trace).ok()) {
            Some(trace) if trace["handshake"].is_object() => {
                self.check_trace(&trace, open.is_refused)
            }
            _ if open.is_refused => self.problem("origin", ""),
            _ if is_echoed => self.note("the server does not show what it saw (--no-trace)"),
            _ => {}
        }
        if !is_echoed {
            self.problem("buffering", "");
            return Ok(());
        }
        self.good("messages pass in both directions");
        self.check_silence(open);
        Ok(())
    }

    /// Asks for `/healthz`, which no proxy answers itself.
    fn is_reached(&mut self) -> Result<bool, Failure> {
        let answer = match self.ask("healthz", "")?.0 {
            Ok(answer) => answer,
            Err(_) if self.has_tls => return self.explain_tls(),
            Err(_) => {
                self.problem("unreachable", "");
                return Ok(false);
            }
        };
        let (status, text) = (answer.status.to_string(), answer.first_line());
        match answer.status {
            200 if text == "ok" => {
                self.good("parlor answers at this address");
                return Ok(true);
            }
            400 if answer.rest.windows(5).any(|word| word == b"HTTPS") => {
                let detail = "this port expects TLS: the address begins with https://";
                self.problem("tls", detail);
            }
            301 | 302 | 307 | 308 => {
                self.problem("redirect", &answer.location);
            }
            401 => self.problem("password", ""),
            404 if text.to_lowercase().starts_with("page not found") => self.problem("path", ""),
            502..=504 => self.problem("upstream", &status),
            _ => self.problem("other", &status),
        }
        Ok(false)
    }

    /// Finds out why the server does not answer over TLS.
    fn explain_tls(&mut self) -> Result<bool, Failure> {
        // A header may hold a password, which must not reach a server that is not verified.
        self.headers.clear();
        let verified = self.command.take().unwrap_or_default();
        self.command = Some(verified.replace("-verify_return_error", ""));
        if self.ask("healthz", "")?.0.is_ok() {
            self.problem("certificate", "");
            return Ok(false);
        }
        self.command = None;
        match self.ask("healthz", "") {
            // nginx and Caddy answer 400 to plain HTTP on a port with TLS.
            Ok((Ok(answer), _)) if answer.status != 400 => {
                let detail = "this port speaks plain HTTP, so TLS ends elsewhere: use the address \
                              where it ends, or let it end here";
                self.problem("tls", detail);
            }
            Ok((Ok(_), _)) => self.problem("certificate", ""),
            _ => self.problem("unreachable", ""),
        }
        Ok(false)
    }

    fn check_tls(&mut self) {
        let host = self.address.host.as_str();
        if self.has_tls {
            self.good("the page is reached by TLS");
        } else if host.contains('.') && host.parse::<IpAddr>().is_err() {
            let detail = "the page is reached without TLS: messages cross the network unencrypted, \
                          and browsers show no notifications";
            self.problem("tls", detail);
        } else {
            self.note("without TLS, messages cross the network unencrypted");
        }
    }

    /// Opens a WebSocket as the page would.
    fn open(&mut self) -> Result<Option<Open>, Failure> {
        let origin = |scheme: &str| format!("Origin: {scheme}://{}\r\n", self.address.authority);
        let other = if self.has_tls { "http" } else { "https" };
        const PATH: &str = "echo?trace=1";
        let (mut answer, mut stream) = self.ask(PATH, &origin(&self.address.scheme))?;
        let mut is_refused = answer.as_ref().is_ok_and(is_refused_origin);
        if is_refused {
            let (by_other, _) = self.ask(PATH, &origin(other))?;
            if by_other.is_ok_and(|answer| answer.status == 101) {
                self.problem("tls-elsewhere", "");
                is_refused = false;
            }
            (answer, stream) = self.ask(PATH, "")?;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_temporary(&error) => {
                self.problem("buffering", "");
                return Ok(None);
            }
            Err(_) => {
                let detail = "the connection ends without an answer";
                self.problem("refused", detail);
                return Ok(None);
            }
        };
        let text = answer.first_line();
        match (answer.status, answer.broken) {
            (101, None) => {
                let (stream, _tunnel) = stream;
                let tap = None;
                let connection = over(Tapped { stream, tap }, answer.rest)?;
                self.good("the upgrade to WebSocket passes");
                return Ok(Some(Open {
                    connection,
                    is_refused,
                    _tunnel,
                }));
            }
            (101, Some(error)) => {
                self.problem("refused", &error.to_string());
            }
            (426, _) => self.problem("upgrade", ""),
            (400, _) if text.contains("HTTP/1.1") => self.problem("http-1.0", ""),
            (status, _) => {
                self.problem("refused", &format!("{status} {text}"));
            }
        }
        Ok(None)
    }

    /// Judges what the server saw of the handshake.
    fn check_trace(&mut self, trace: &Value, is_refused: bool) {
        let handshake = &trace["handshake"];
        let lines = handshake["request"]["lines"]
            .as_array()
            .into_iter()
            .flatten();
        let lines = lines.filter_map(|line| line["text"].as_str());
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let values = |name: &str| {
            let headers = headers.iter();
            let named = headers.filter(|(it, _)| it.eq_ignore_ascii_case(name));
            let values: Vec<_> = named.map(|(_, value)| *value).collect();
            EscapedText(&values.join(", ")).to_string()
        };
        let (host, forwarded) = (values("host"), values("x-forwarded-for"));
        let standard = values("forwarded");
        let client = &handshake["client"];
        let address = client["address"].as_str();
        let address = address.filter(|it| it.parse::<IpAddr>().is_ok());
        let address = address.unwrap_or_default();
        let seen = [address, &forwarded, &host, &values("origin")];
        let [by, through, to, from] = seen.map(|text| if text.is_empty() { "none" } else { text });
        self.note(&format!(
            "the server saw: address {by}, X-Forwarded-For {through}, Host {to}, Origin {from}"
        ));
        let port = if self.has_tls { ":443" } else { ":80" };
        let plain = |host: &str| host.trim_end_matches(port).to_ascii_lowercase();
        if plain(&host) != plain(&self.address.authority) {
            self.problem("host", &host);
        } else if is_refused {
            self.problem("origin", "");
        }
        // This client sends no such header, so the first address is its own.
        let first = forwarded.split(',').next().unwrap_or_default().trim();
        let is_forwarded = !first.is_empty() || !standard.is_empty();
        if !is_forwarded && self.has_tls {
            self.problem("forwarded", "");
        } else if is_forwarded && client["trusted_proxy"] == false
            || !first.is_empty() && first.parse::<IpAddr>() != address.parse()
        {
            self.problem("trusted-proxy", address);
        }
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_millis() as u64;
        let apart = now.abs_diff(trace["at"].as_u64().unwrap_or(now));
        if apart > CLOCK_MS {
            self.problem("clock", &(apart / 1000).to_string());
        } else {
            self.good("the clocks agree");
        }
    }

    /// Waits, and answers pings only.
    fn check_silence(&mut self, mut open: Open) {
        remark(&format!(
            "waiting {} s on a silent connection",
            self.wait.as_secs()
        ));
        let since = Instant::now();
        let survived = loop {
            match next_text(&mut open.connection, since + self.wait) {
                Ok(Some(_)) => {}
                Ok(None) => break open.is_echoed(),
                Err(_) => break false,
            }
        };
        let silence = since.elapsed().min(self.wait).as_secs();
        if survived {
            self.good(&format!("a silent connection survives {silence} s"));
        } else {
            self.problem("timeout", &silence.to_string());
        }
    }

    /// Sends a request below the path; `headers` beside those of the user. One with a query asks
    /// for an upgrade.
    fn ask(
        &self,
        path: &str,
        headers: &str,
    ) -> Result<(io::Result<Answer>, (TcpStream, Tunnel)), Failure> {
        let (mut stream, tunnel) = connect(&self.address, self.command.as_deref(), TIMEOUT)?;
        let key = key(random()?);
        let how = match path.contains('?') {
            false => "Connection: close\r\n".to_owned(),
            true => upgrade(&key),
        };
        let (below, host, own) = (&self.address.target, &self.address.authority, &self.headers);
        let request =
            format!("GET {below}{path} HTTP/1.1\r\nHost: {host}\r\n{how}{headers}{own}\r\n");
        let answer = ask(&mut stream, &request, &key, None);
        Ok((answer, (stream, tunnel)))
    }
}

/// The command that connects by TLS.
fn tls_command(address: &Address) -> Result<String, Failure> {
    let (host, port) = (&address.host, address.port);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if !host.bytes().all(is_plain) {
        return Err(Failure::wrong(
            "the host has characters that a name can't have",
        ));
    }
    let (at, check) = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => (format!("[{ip}]"), format!("-verify_ip {ip}")),
        Ok(ip) => (ip.to_string(), format!("-verify_ip {ip}")),
        Err(_) => (
            host.clone(),
            format!("-servername {host} -verify_hostname {host}"),
        ),
    };
    let options = "-quiet -verify_return_error";
    Ok(format!(
        "exec openssl s_client {options} {check} -connect {at}:{port}"
    ))
}

/// Returns the table of `www/texts/fixes.js`.
fn fixes() -> Value {
    let file = include_str!("../../www/texts/fixes.js");
    let json = file.find("= {").map_or("", |at| &file[at + 2..]);
    serde_json::from_str(json.trim_end().trim_end_matches(';')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn fixes_are_of_known_problems() {
        let fixes = fixes();
        let fixes = fixes.as_object().expect("JSON");
        let codes: Vec<_> = SENTENCES
            .lines()
            .filter_map(|line| line.split(" | ").next())
            .collect();
        assert!(fixes.len() > 8);
        for code in fixes.keys() {
            assert!(codes.contains(&code.as_str()), "{code}");
        }
    }

    /// Runs `check` on a doctor for the TLS server at this port. Returns what it printed.
    fn printed(port: u16, check: impl FnOnce(&mut Doctor<'_, '_>)) -> String {
        let mut out = Vec::new();
        let mut terminal = Terminal::new(&mut out, |_| Some("dumb".into()));
        check(&mut Doctor {
            terminal: &mut terminal,
            address: Address::parse(&format!("https://127.0.0.1:{port}/")).unwrap(),
            has_tls: true,
            command: Some("exit 1".to_owned()),
            headers: "Authorization: Basic eDp5\r\n".to_owned(),
            wait: Duration::ZERO,
            problems: 0,
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn trace_of_a_hostile_server_is_escaped() {
        let names = ["Host", "X-Forwarded-For", "Origin"];
        let line = |name| serde_json::json!({ "text": format!("{name}: \x1b]0;owned\x07") });
        let trace = serde_json::json!({ "handshake": {
            "request": { "lines": names.map(line) },
            "client": { "address": "\x1b[2J", "trusted_proxy": false },
        } });
        let printed = printed(1, |doctor| doctor.check_trace(&trace, false));
        assert!(printed.contains("owned") && printed.contains("trusted-proxy"));
        let mut letters = printed.chars().filter(|it| *it != '\n');
        assert!(!letters.any(char::is_control), "{printed:?}");
    }

    #[test]
    fn password_is_not_sent_without_tls() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = vec![0; 4 << 10];
            let length = peer.read(&mut request).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        printed(port, |doctor| assert!(!doctor.is_reached().unwrap_or(true)));
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /healthz "), "{request}");
        assert!(!request.contains("Basic"), "{request}");
    }
}
