//! **The** table of options. The command line, the environment, `--help` and the README come from the same rows.
//!
//! Not here: what an option's value does to the server (`limits.rs` says it for most), the text of `--help` (`help`), starting
//! the server (`serve`).

use crate::hub::{Network, Origin, Origins};
use crate::limits::Limits;
use lexopt::Arg;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What the command line and the environment decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// `--listen`: `ADDR:PORT`, where the address may be a name.
    pub listen: String,
    /// `--www`: a folder instead of the files that are compiled in.
    pub www: Option<PathBuf>,
    /// `--origin`.
    pub origins: Origins,
    /// `--trusted-proxy`.
    pub trusted_proxies: Vec<Network>,
    /// All the others.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let listen = "127.0.0.1:8080".to_owned();
        Self { listen, www: None, origins: Origins::SameHost, trusted_proxies: Vec::new(), limits: Limits::DEFAULT }
    }
}

/// One option.
pub struct Row {
    /// The heading under which `--help` shows it.
    pub group: &'static str,
    /// Without the dashes.
    pub name: &'static str,
    /// What the value is called; empty: it is a flag.
    pub value: &'static str,
    /// As it would be written; empty: there is none.
    pub default: &'static str,
    /// What it means, for `--help`.
    pub help: &'static str,
    /// Whether it may be given several times; else the last one counts.
    pub repeatable: bool,
    /// Takes the value. An error says what it must be.
    pub set: fn(&mut ServeOptions, &OsStr) -> Result<(), String>,
}

impl Row {
    /// As it is written on the command line: `--listen ADDR:PORT`.
    pub fn usage(&self) -> String {
        format!("--{} {}", self.name, self.value).trim_end().to_owned()
    }

    /// The environment variable that stands for it.
    ///
    /// ```
    /// let row = parlor::cli::options::ROWS.iter().find(|row| row.name == "max-message-bytes").unwrap();
    /// assert_eq!(row.variable(), "PARLOR_MAX_MESSAGE_BYTES");
    /// ```
    pub fn variable(&self) -> String {
        format!("PARLOR_{}", self.name.replace('-', "_").to_ascii_uppercase())
    }
}

const PAGES: &str = "Address and pages";
const HISTORY: &str = "History";
const LIMITS: &str = "Limits";
const STUDY: &str = "For study";
const TIMES: &str = "Times, in seconds; they may have a fraction";

const fn row(
    group: &'static str,
    (name, value, default): (&'static str, &'static str, &'static str),
    set: fn(&mut ServeOptions, &OsStr) -> Result<(), String>,
    help: &'static str,
) -> Row {
    Row { group, name, value, default, help, repeatable: false, set }
}

/// A length that still fits a 32-bit machine and our 32-bit ranges.
const BYTES: RangeInclusive<u64> = 1..=1 << 30;
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
const COUNT_OR_NONE: RangeInclusive<u64> = 0..=1_000_000;

/// Every option but `--help` and `--version`.
pub const ROWS: &[Row] = &[
    row(PAGES, ("listen", "ADDR:PORT", "127.0.0.1:8080"), listen, "where to listen; port 0: any free one"),
    Row {
        repeatable: true,
        ..row(
            PAGES,
            ("origin", "URL", "same host"),
            origin,
            "an origin (scheme, host, port) whose pages may open the chat, such as https://chat.example; can be given several \
             times; * for any. Without it: pages of this server itself, under an address or a name that nobody outside can own",
        )
    },
    Row {
        repeatable: true,
        ..row(
            PAGES,
            ("trusted-proxy", "ADDR", ""),
            trusted_proxy,
            "a proxy that is believed about its clients' addresses (X-Forwarded-For, or else Forwarded); an address or a range \
             such as 10.0.0.0/8; can be given several times",
        )
    },
    row(PAGES, ("www", "DIR", "built in"), www, "serve the page's files from a folder instead; hidden ones and links are not served"),
    row(
        HISTORY,
        ("no-history", "", ""),
        // There is no other mode yet, so there is nothing to be set.
        |_, _| Ok(()),
        "keep the newest messages of each channel (1,000; 64 MiB in all) in memory alone",
    ),
    row(
        LIMITS,
        ("max-connections", "N", "10000"),
        |options, value| whole(&mut options.limits.connections, value, COUNT),
        "open connections; one more is answered 503",
    ),
    row(
        LIMITS,
        ("max-connections-per-ip", "N", "100"),
        |options, value| whole(&mut options.limits.connections_per_ip, value, COUNT_OR_NONE),
        "of one address (IPv6: of one /64); one more is answered 429; 0: no limit",
    ),
    row(
        LIMITS,
        ("max-header-bytes", "N", "8192"),
        |options, value| whole(&mut options.limits.request_head_bytes, value, 1..=1 << 20),
        "a longer request head is answered 431",
    ),
    row(
        LIMITS,
        ("max-message-bytes", "N", "65536"),
        |options, value| whole(&mut options.limits.message_bytes, value, BYTES),
        "a longer message on /chat closes with 1009",
    ),
    row(
        LIMITS,
        ("max-text-chars", "N", "4000"),
        |options, value| whole(&mut options.limits.text_chars, value, BYTES),
        "a longer text is refused",
    ),
    row(
        LIMITS,
        ("max-echo-bytes", "N", "1048576"),
        |options, value| whole(&mut options.limits.echo_bytes, value, BYTES),
        "a longer message on /echo closes with 1009",
    ),
    row(LIMITS, ("max-channels", "N", "1000"), |options, value| whole(&mut options.limits.channels, value, COUNT), "one more is refused"),
    row(
        LIMITS,
        ("max-buffered-bytes", "N", "67108864"),
        |options, value| whole(&mut options.limits.buffered_bytes, value, 1..=MEMORY),
        "held for all connections together; beyond it the one that holds most is closed with 1013",
    ),
    row(
        LIMITS,
        ("rate", "N", "20"),
        |options, value| whole(&mut options.limits.rate, value, COUNT_OR_NONE),
        "commands a second per connection, with a burst of twice that; 0: no limit",
    ),
    row(
        LIMITS,
        ("send-queue-bytes", "N", "1048576"),
        |options, value| whole(&mut options.limits.send_queue_bytes, value, BYTES),
        "what may wait for a slow reader before it is closed with 1013",
    ),
    row(
        TIMES,
        ("handshake-timeout", "S", "10"),
        |options, value| seconds(&mut options.limits.handshake_timeout, value, Zero::IsWrong),
        "for a whole request head to arrive, and for an answer to make progress",
    ),
    row(
        TIMES,
        ("message-timeout", "S", "60"),
        |options, value| seconds(&mut options.limits.message_timeout, value, Zero::IsWrong),
        "for a whole message to arrive after its first byte",
    ),
    row(
        TIMES,
        ("hello-timeout", "S", "30"),
        |options, value| seconds(&mut options.limits.hello_timeout, value, Zero::IsFine),
        "for a client to say who it is; 0: no limit",
    ),
    row(
        TIMES,
        ("ping-interval", "S", "30"),
        |options, value| seconds(&mut options.limits.ping_interval, value, Zero::IsFine),
        "silence after which a ping is sent; 0: none",
    ),
    row(
        TIMES,
        ("pong-timeout", "S", "20"),
        |options, value| seconds(&mut options.limits.pong_timeout, value, Zero::IsWrong),
        "silence after that ping, after which the connection is dropped",
    ),
    row(
        TIMES,
        ("resume-window", "S", "30"),
        |options, value| seconds(&mut options.limits.resume_window, value, Zero::IsFine),
        "how long a user without a connection stays online",
    ),
    row(
        TIMES,
        ("drain", "S", "5"),
        |options, value| seconds(&mut options.limits.drain, value, Zero::IsFine),
        "how long a stop waits for connections to close",
    ),
    row(
        STUDY,
        ("no-trace", "", ""),
        |options, _| {
            options.limits.trace = false;
            Ok(())
        },
        "don't let connections look at their own frames (the commands trace and try, and ?trace=1)",
    ),
];

/// A tebibyte, or what this machine can address.
const MEMORY: u64 = if usize::BITS > 40 { 1 << 40 } else { u32::MAX as u64 };

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// The server, with these options.
    Serve(Box<ServeOptions>),
}

/// Reads the command line (without the program's name), and the environment for what is not on it. An error is one line.
///
/// `variable` looks up an environment variable; an empty one is as none, so that a service file can blank one out.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Asked, String> {
    let mut given: Vec<Vec<OsString>> = vec![Vec::new(); ROWS.len()];
    let mut parser = lexopt::Parser::from_args(arguments);
    loop {
        let name = match parser.next().map_err(|error| error.to_string())? {
            None => break,
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Asked::Help),
            Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Asked::Version),
            Some(Arg::Long(name)) => name.to_owned(),
            Some(other) => return Err(other.unexpected().to_string()),
        };
        let Some(index) = ROWS.iter().position(|row| row.name == name) else {
            return Err(format!("there is no option --{name}"));
        };
        given[index].push(match ROWS[index].value {
            "" => OsString::new(),
            _ => parser.value().map_err(|error| error.to_string())?,
        });
    }
    let mut options = Box::<ServeOptions>::default();
    for (row, values) in ROWS.iter().zip(&mut given) {
        let mut shown = format!("--{}", row.name);
        if values.is_empty() {
            shown = row.variable();
            *values = from_variable(row, variable(&shown)).map_err(|error| format!("{shown} {error}"))?;
        }
        // Each writes over the one before it, so the last one counts; but none may be wrong.
        for value in values {
            (row.set)(&mut options, value).map_err(|error| format!("{shown} {error}, not {value:?}"))?;
        }
    }
    Ok(Asked::Serve(options))
}

fn from_variable(row: &Row, value: Option<OsString>) -> Result<Vec<OsString>, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(Vec::new()) };
    match (row.value, value.to_str()) {
        ("", Some("1")) => Ok(vec![OsString::new()]),
        ("", Some("0")) => Ok(Vec::new()),
        ("", _) => Err(format!("must be 1 or 0, not {value:?}")),
        (_, Some(list)) if row.repeatable => Ok(list.split(',').map(|item| item.trim().into()).collect()),
        _ => Ok(vec![value]),
    }
}

/// A host that begins like a number or a bracket is meant to be an address; anything else is a name, to be looked up when the
/// server starts.
fn listen(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    let wrong = || "must be an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080".to_owned();
    let text = value.to_str().ok_or_else(wrong)?;
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let letters = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let is_name = letters && host.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if text.parse::<SocketAddr>().is_err() && !(is_name && is_port) {
        return Err(wrong());
    }
    options.listen = text.to_owned();
    Ok(())
}

fn www(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value.is_empty() {
        return Err("must be a folder".to_owned());
    }
    options.www = Some(value.into());
    Ok(())
}

fn origin(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value == "*" {
        options.origins = Origins::Any;
        return Ok(());
    }
    let origin = value.to_str().and_then(Origin::parse);
    let origin = origin.ok_or("must be an origin without a path, such as https://chat.example, or *")?;
    match &mut options.origins {
        Origins::Any => {}
        Origins::Listed(listed) => listed.push(origin),
        Origins::SameHost => options.origins = Origins::Listed(vec![origin]),
    }
    Ok(())
}

fn trusted_proxy(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    let network = value.to_str().and_then(Network::parse);
    options.trusted_proxies.push(network.ok_or("must be an address or a range of addresses, such as 127.0.0.1 or 10.0.0.0/8")?);
    Ok(())
}

fn whole<T: TryFrom<u64>>(target: &mut T, value: &OsStr, range: RangeInclusive<u64>) -> Result<(), String> {
    let digits = value.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| range.contains(number));
    *target = number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    IsFine,
    IsWrong,
}

/// Some thirty years: far from every overflow, and longer than anybody waits.
const SECONDS: f64 = 1e9;

/// Seconds in plain decimal notation, rounded to milliseconds; what is not nothing is at least one.
fn seconds(target: &mut Duration, value: &OsStr, zero: Zero) -> Result<(), String> {
    let plain = |text: &&str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let number: Option<f64> = value.to_str().filter(plain).and_then(|text| text.parse().ok());
    let number = number.filter(|number| *number <= SECONDS && (*number > 0.0 || zero == Zero::IsFine));
    let number = number.ok_or_else(|| match zero {
        Zero::IsFine => format!("must be seconds from 0 to {SECONDS}, such as 10 or 0.5"),
        Zero::IsWrong => format!("must be seconds above 0 and up to {SECONDS}, such as 10 or 0.5"),
    })?;
    let millis = (number * 1_000.0).round();
    *target = Duration::from_millis(if number > 0.0 { millis.max(1.0) as u64 } else { 0 });
    Ok(())
}
