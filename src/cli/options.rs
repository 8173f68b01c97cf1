//! **The** table of options. The command line, the environment, `--help` and the README come from
//! the same rows.
//!
//! Not here: what an option's value does to the server (`limits.rs` says it for most), the text of
//! `--help` (`help`), starting
//! the server (`serve`).

use super::values::{
    Zero, check_record, history, listen, origin, record, seconds, sync, trusted_proxy, whole, www,
};
use crate::history::Settings;
use crate::hub::{Network, Origins};
use crate::limits::Limits;
use lexopt::Arg;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;

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
    /// `--history` and what goes with it.
    pub history: Settings,
    /// `--no-history`: nothing of that counts.
    pub in_memory: bool,
    /// `--record`.
    pub record: Option<PathBuf>,
    /// Where that is recorded: what was given, by the environment too, as it would stand on the
    /// command line.
    pub given: Vec<String>,
    /// All the others.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let listen = "127.0.0.1:8080".to_owned();
        let (history, in_memory) = (Settings::default(), cfg!(not(feature = "history")));
        Self {
            listen,
            www: None,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            history,
            in_memory,
            record: None,
            given: Vec::new(),
            limits: Limits::DEFAULT,
        }
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
        format!("--{} {}", self.name, self.value)
            .trim_end()
            .to_owned()
    }

    /// The environment variable that stands for it.
    ///
    /// ```
    /// let row = parlor::cli::options::ROWS.iter().find(|row| row.name == "max-message-bytes").unwrap();
    /// assert_eq!(row.variable(), "PARLOR_MAX_MESSAGE_BYTES");
    /// ```
    pub fn variable(&self) -> String {
        format!(
            "PARLOR_{}",
            self.name.replace('-', "_").to_ascii_uppercase()
        )
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
    Row {
        group,
        name,
        value,
        default,
        help,
        repeatable: false,
        set,
    }
}

/// A length that still fits a 32-bit machine and our 32-bit ranges.
const BYTES: RangeInclusive<u64> = 1..=1 << 30;
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
const COUNT_OR_NONE: RangeInclusive<u64> = 0..=1_000_000;

/// Every option but `--help` and `--version`.
pub const ROWS: &[Row] = &[
    row(
        PAGES,
        ("listen", "ADDR:PORT", "127.0.0.1:8080"),
        listen,
        "where to listen; port 0: any free one",
    ),
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
    row(
        PAGES,
        ("www", "DIR", "built in"),
        www,
        "serve the page's files from a folder instead; hidden ones and links are not served",
    ),
    row(
        HISTORY,
        ("history", "FILE", "parlor.db"),
        history,
        "the database that keeps messages; made where there is none",
    ),
    row(
        HISTORY,
        ("no-history", "", ""),
        |options, _| {
            options.in_memory = true;
            Ok(())
        },
        "keep the newest messages of each channel (1,000; 64 MiB in all) in memory alone",
    ),
    row(
        HISTORY,
        ("sync", "MODE", "normal"),
        sync,
        "what an acknowledged message survives: normal, the death of the process; full, that of the machine",
    ),
    row(
        HISTORY,
        ("history-keep", "N", "100000"),
        |options, value| whole(&mut options.history.keep, value, 1..=1 << 40),
        "messages of each channel that are kept in the database",
    ),
    row(
        HISTORY,
        ("history-days", "N", "no limit"),
        |options, value| whole(&mut options.history.days, value, 1..=36_500),
        "days before the newest message that are kept",
    ),
    row(
        HISTORY,
        ("history-bytes", "N", "10737418240"),
        |options, value| whole(&mut options.history.bytes, value, 1 << 20..=1 << 50),
        "how large the database may become before the oldest messages go",
    ),
    row(
        HISTORY,
        ("session-days", "N", "30"),
        |options, value| whole(&mut options.limits.session_days, value, 1..=36_500),
        "days that a session is known after it was last seen",
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
    row(
        LIMITS,
        ("max-channels", "N", "1000"),
        |options, value| whole(&mut options.limits.channels, value, COUNT),
        "one more is refused",
    ),
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
        ("record", "FILE", ""),
        record,
        "keep all that comes in, for parlor replay; with --no-history only. It holds what people write and the seed of their sessions",
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
const MEMORY: u64 = if usize::BITS > 40 {
    1 << 40
} else {
    u32::MAX as u64
};

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

/// Reads the command line (without the program's name), and the environment for what is not on it.
/// An error is one line.
///
/// `variable` looks up an environment variable; an empty one is as none, so that a service file can
/// blank one out.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Asked, String> {
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
    let options_given: Vec<bool> = given.iter().map(|values| !values.is_empty()).collect();
    let is_given = |name| {
        ROWS.iter()
            .zip(&options_given)
            .any(|(row, given)| *given && row.name == name)
    };
    let mut options = Box::<ServeOptions>::default();
    let mut modes = Vec::new();
    for (row, values) in ROWS.iter().zip(&mut given) {
        if rival(row.name).is_some_and(|rival| !is_given(row.name) && is_given(rival)) {
            continue;
        }
        let mut shown = format!("--{}", row.name);
        if values.is_empty() {
            shown = row.variable();
            *values =
                from_variable(row, variable(&shown)).map_err(|error| format!("{shown} {error}"))?;
        }
        if rival(row.name).is_some() && !values.is_empty() {
            modes.push(shown.clone());
        }
        // Each writes over the one before it, so the last one counts; but none may be wrong.
        for value in values {
            (row.set)(&mut options, value)
                .map_err(|error| format!("{shown} {error}, not {value:?}"))?;
            options.given.push(if row.value.is_empty() {
                format!("--{}", row.name)
            } else {
                format!("--{}={}", row.name, value.display())
            });
        }
    }
    check_record(&mut options)?;
    match &modes[..] {
        [one, other] => Err(format!("{one} and {other} exclude each other")),
        _ => Ok(Asked::Serve(options)),
    }
}

/// What excludes this option; of an option and a variable the option wins.
fn rival(name: &str) -> Option<&'static str> {
    match name {
        "history" => Some("no-history"),
        "no-history" => Some("history"),
        _ => None,
    }
}

fn from_variable(row: &Row, value: Option<OsString>) -> Result<Vec<OsString>, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(Vec::new());
    };
    match (row.value, value.to_str()) {
        ("", Some("1")) => Ok(vec![OsString::new()]),
        ("", Some("0")) => Ok(Vec::new()),
        ("", _) => Err(format!("must be 1 or 0, not {value:?}")),
        (_, Some(list)) if row.repeatable => {
            Ok(list.split(',').map(|item| item.trim().into()).collect())
        }
        _ => Ok(vec![value]),
    }
}
