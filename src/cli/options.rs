//! The table of the server's options. The command line, the environment, `--help` and the table in
//! the documentation come from these rows.

use super::args::{self, Parsed};
use super::values::{self, Zero};
use crate::history::Settings;
use crate::hub::{Network, Origins};
use crate::limits::Limits;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The default of `--listen`.
const LISTEN: &str = "127.0.0.1:8080";

/// Everything that the command line and the environment decide about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// `--listen`: `ADDR:PORT`, where the address may be a host name.
    pub listen: String,
    /// `--www`: a folder to serve instead of the built-in page.
    pub www: Option<PathBuf>,
    /// `--origin`.
    pub origins: Origins,
    /// `--trusted-proxy`.
    pub trusted_proxies: Vec<Network>,
    /// `--history` and the options that go with it.
    pub history: Settings,
    /// `--no-history`: `history` is not used.
    pub in_memory: bool,
    /// `--record`.
    pub record: Option<PathBuf>,
    /// With `--record`: everything given, by the environment too, as command line arguments.
    pub given: Vec<String>,
    /// One sentence for each combination of options that can't work as it was probably meant.
    pub warnings: Vec<String>,
    /// All other options.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: LISTEN.to_owned(),
            www: None,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            history: Settings::default(),
            in_memory: cfg!(not(feature = "history")),
            record: None,
            given: Vec::new(),
            warnings: Vec::new(),
            limits: Limits::DEFAULT,
        }
    }
}

/// One option.
pub struct Row {
    /// The heading under which `--help` shows it.
    pub group: &'static str,
    /// The name without its dashes.
    pub name: &'static str,
    /// The name of its value; empty for a flag.
    pub value: &'static str,
    /// The sentence for `--help`.
    pub help: &'static str,
    /// Whether each use adds a value. Otherwise the last one counts.
    pub repeatable: bool,
    kind: Kind,
}

/// How a value is parsed, and where it is stored.
enum Kind {
    Flag(fn(&mut ServeOptions)),
    Number(
        RangeInclusive<u64>,
        fn(&mut ServeOptions) -> &mut dyn Number,
    ),
    Seconds(Zero, fn(&mut Limits) -> &mut Duration),
    /// Anything else, with its default for `--help`.
    Other(
        &'static str,
        fn(&mut ServeOptions, &OsStr) -> Result<(), String>,
    ),
}

/// A field that holds a whole number.
trait Number {
    fn get(&self) -> u64;
    fn set(&mut self, number: u64);
}

macro_rules! numbers {
    ($($integer:ty)*) => { $(
        impl Number for $integer {
            fn get(&self) -> u64 {
                *self as u64
            }
            fn set(&mut self, number: u64) {
                *self = number as $integer; // the row's bounds fit
            }
        }
    )* };
}
numbers! { u32 u64 usize }

impl Row {
    /// Returns the option as it is written on the command line: `--listen ADDR:PORT`.
    pub fn usage(&self) -> String {
        let usage = format!("--{} {}", self.name, self.value);
        usage.trim_end().to_owned()
    }

    /// Returns the environment variable that sets the option.
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

    /// Returns the default as it would be given; empty if there is none.
    pub fn default(&self) -> String {
        let options = &mut ServeOptions::default();
        match &self.kind {
            Kind::Flag(_) => String::new(),
            Kind::Number(range, field) => match field(options).get() {
                number if range.contains(&number) => number.to_string(),
                _ => "no limit".to_owned(),
            },
            Kind::Seconds(_, field) => field(&mut options.limits).as_secs_f64().to_string(),
            Kind::Other(default, _) => (*default).to_owned(),
        }
    }

    /// Stores a value. An error says what it must be.
    fn set(&self, options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
        match &self.kind {
            Kind::Flag(set) => set(options),
            Kind::Number(range, field) => field(options).set(values::number(value, range)?),
            Kind::Seconds(zero, field) => {
                *field(&mut options.limits) = values::seconds(value, *zero)?;
            }
            Kind::Other(_, set) => set(options, value)?,
        }
        Ok(())
    }
}

const PAGES: &str = "Address and pages";
const HISTORY: &str = "History";
const LIMITS: &str = "Limits";
const TIMES: &str = "Times, in seconds; they may have a fraction";
const STUDY: &str = "For study";

/// A length that fits a 32-bit machine.
const BYTES: RangeInclusive<u64> = 1..=1 << 30;
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
const COUNT_OR_ZERO: RangeInclusive<u64> = 0..=1_000_000;
const DAYS: RangeInclusive<u64> = 1..=36_500;
/// A tebibyte, or as much as the machine can address.
const MEMORY: RangeInclusive<u64> = 1..=if usize::BITS > 40 {
    1 << 40
} else {
    u32::MAX as u64
};

const fn row(group: &'static str, name: &'static str, value: &'static str, kind: Kind) -> Row {
    Row {
        group,
        name,
        value,
        help: "",
        repeatable: false,
        kind,
    }
}

const fn flag(group: &'static str, name: &'static str, set: fn(&mut ServeOptions)) -> Row {
    row(group, name, "", Kind::Flag(set))
}

const fn number(
    group: &'static str,
    name: &'static str,
    range: RangeInclusive<u64>,
    field: fn(&mut ServeOptions) -> &mut dyn Number,
) -> Row {
    row(group, name, "N", Kind::Number(range, field))
}

const fn seconds(name: &'static str, zero: Zero, field: fn(&mut Limits) -> &mut Duration) -> Row {
    row(TIMES, name, "S", Kind::Seconds(zero, field))
}

const fn other(
    group: &'static str,
    name: &'static str,
    (value, default): (&'static str, &'static str),
    set: fn(&mut ServeOptions, &OsStr) -> Result<(), String>,
) -> Row {
    row(group, name, value, Kind::Other(default, set))
}

impl Row {
    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn repeatable(self) -> Self {
        Self {
            repeatable: true,
            ..self
        }
    }
}

/// Every option but `--help` and `--version`, in the order of `--help`.
pub const ROWS: &[Row] = &[
    other(PAGES, "listen", ("ADDR:PORT", LISTEN), |o, value| {
        values::listen(value).map(|listen| o.listen = listen)
    })
    .help("where to listen; port 0 means any free port"),
    other(PAGES, "origin", ("URL", "same host"), add_origin)
        .repeatable()
        .help(
            "an origin (scheme, host, port) whose pages may open the chat, such as \
             https://chat.example; can be given several times; * for any. Without it: pages of this \
             server itself, under an address or a name that no outsider can own",
        ),
    other(PAGES, "trusted-proxy", ("ADDR", ""), |o, value| {
        values::network(value).map(|network| o.trusted_proxies.push(network))
    })
    .repeatable()
    .help(
        "a proxy whose X-Forwarded-For or Forwarded header is believed; an address or a range such \
         as 10.0.0.0/8; can be given several times",
    ),
    other(PAGES, "www", ("DIR", "built in"), |o, value| {
        values::path(value, "folder").map(|path| o.www = Some(path))
    })
    .help("serve the page's files from a folder; hidden files and links are not served"),
    other(HISTORY, "history", ("FILE", "parlor.db"), set_history)
        .help("the database that keeps messages; created if there is none"),
    flag(HISTORY, "no-history", |o| o.in_memory = true).help(
        "keep messages in memory only, the newest of each channel (1,000; 64 MiB in all)",
    ),
    other(HISTORY, "sync", ("MODE", "normal"), |o, value| {
        values::sync(value).map(|sync| o.history.sync = sync)
    })
    .help(
        "what an acknowledged message survives: normal, a crash of the process; full, a crash of \
         the machine",
    ),
    number(HISTORY, "history-keep", 1..=1 << 40, |o| &mut o.history.keep)
        .help("messages kept of each channel"),
    number(HISTORY, "history-days", DAYS, |o| &mut o.history.days)
        .help("days that messages are kept, before the newest one of their channel"),
    number(HISTORY, "history-bytes", 1 << 20..=1 << 50, |o| &mut o.history.bytes)
        .help("size of the database above which the oldest messages are deleted"),
    number(HISTORY, "session-days", DAYS, |o| &mut o.limits.session_days)
        .help("days that a session is kept after it was last seen"),
    number(LIMITS, "max-connections", COUNT, |o| &mut o.limits.connections)
        .help("open connections; further ones get 503"),
    number(LIMITS, "max-connections-per-ip", COUNT_OR_ZERO, |o| {
        &mut o.limits.connections_per_ip
    })
    .help("from one address (IPv6: from one /64); further ones get 429; 0: no limit"),
    number(LIMITS, "max-header-bytes", 1..=1 << 20, |o| &mut o.limits.request_head_bytes)
        .help("longer request headers get 431"),
    number(LIMITS, "max-message-bytes", BYTES, |o| &mut o.limits.message_bytes)
        .help("a longer message on /chat closes its connection with 1009"),
    number(LIMITS, "max-text-chars", BYTES, |o| &mut o.limits.text_chars)
        .help("a longer text gets the error too_long"),
    number(LIMITS, "max-echo-bytes", BYTES, |o| &mut o.limits.echo_bytes)
        .help("a longer message on /echo closes its connection with 1009"),
    number(LIMITS, "max-channels", COUNT, |o| &mut o.limits.channels).help(
        "channels listed at a time; a further one replaces the empty channel that was used \
         longest ago, and is refused only if none is empty",
    ),
    number(LIMITS, "max-buffered-bytes", MEMORY, |o| &mut o.limits.buffered_bytes).help(
        "memory for unfinished messages and send queues of all connections; above it, the \
         connection that holds most is closed with 1013",
    ),
    number(LIMITS, "rate", COUNT_OR_ZERO, |o| &mut o.limits.rate)
        .help("commands a second per connection, in bursts of up to twice that; 0: no limit"),
    number(LIMITS, "send-queue-bytes", BYTES, |o| &mut o.limits.send_queue_bytes)
        .help("bytes that may wait for a slow client before it is closed with 1013"),
    seconds("handshake-timeout", Zero::Wrong, |limits| &mut limits.handshake_timeout)
        .help("for complete request headers, and for a client to read some of a response"),
    seconds("message-timeout", Zero::Wrong, |limits| &mut limits.message_timeout)
        .help("for a whole message, from its first byte"),
    seconds("hello-timeout", Zero::Allowed, |limits| &mut limits.hello_timeout)
        .help("for a client to send hello; 0: no limit"),
    seconds("ping-interval", Zero::Allowed, |limits| &mut limits.ping_interval)
        .help("silence after which a ping is sent; 0: no pings"),
    seconds("pong-timeout", Zero::Wrong, |limits| &mut limits.pong_timeout)
        .help("silence after that ping until the connection is dropped"),
    seconds("resume-window", Zero::Allowed, |limits| &mut limits.resume_window)
        .help("how long a user without a connection stays online"),
    seconds("drain", Zero::Allowed, |limits| &mut limits.drain)
        .help("how long a shutdown waits for connections to close"),
    other(STUDY, "record", ("FILE", ""), set_record).help(
        "record all input for parlor replay; needs --no-history. The file has everything that \
         people write, and the seed of their sessions",
    ),
    flag(STUDY, "no-trace", |o| o.limits.trace = false)
        .help("turn off the wire view, in which users see the frames of their own connection"),
];

fn add_origin(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    if value == "*" {
        options.origins = Origins::Any;
        return Ok(());
    }
    let origin = values::origin(value)?;
    match &mut options.origins {
        Origins::Any => {}
        Origins::Listed(listed) => listed.push(origin),
        Origins::SameHost => options.origins = Origins::Listed(vec![origin]),
    }
    Ok(())
}

fn set_history(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    options.history.path = values::path(value, "file")?;
    needs_feature(cfg!(feature = "history"), "history")
}

fn set_record(options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
    options.record = Some(values::path(value, "file")?);
    needs_feature(cfg!(feature = "tools"), "tools")
}

fn needs_feature(is_there: bool, feature: &str) -> Result<(), String> {
    match is_there {
        true => Ok(()),
        false => Err(format!(
            "needs a parlor that was built with the feature {feature}"
        )),
    }
}

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

/// Parses the command line (without the program's name), and the environment for options that are
/// not on it. An error is one line.
///
/// `variable` looks up an environment variable. An empty one counts as unset, so that a service file
/// can override one.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Asked, String> {
    let row = |name: &str| ROWS.iter().find(|row| row.name == name);
    let arguments = match args::parse(arguments, 0, |name| Some(!row(name)?.value.is_empty()))? {
        Parsed::Help => return Ok(Asked::Help),
        Parsed::Version => return Ok(Asked::Version),
        Parsed::Arguments(arguments) => arguments,
    };
    let mut options = Box::<ServeOptions>::default();
    let mut given = Given::default();
    for row in ROWS {
        let mut source = format!("--{}", row.name);
        let mut values: Vec<_> = arguments.values(row.name).map(OsStr::to_owned).collect();
        // An argument wins over the variable of the option that excludes it, too.
        let is_excluded =
            EXCLUSIVE.contains(&row.name) && EXCLUSIVE.into_iter().any(|name| arguments.has(name));
        if values.is_empty() && !is_excluded {
            source = row.variable();
            values = from_variable(row, variable(&source)).map_err(|e| format!("{source} {e}"))?;
        }
        for value in &values {
            row.set(&mut options, value)
                .map_err(|error| format!("{source} {error}, not {value:?}"))?;
            options.given.push(match row.value {
                "" => format!("--{}", row.name),
                _ => format!("--{}={}", row.name, value.display()),
            });
        }
        if !values.is_empty() {
            given.0.push((row.name, source));
        }
    }
    given.check(&mut options)?;
    Ok(Asked::Serve(options))
}

/// A database, or none.
const EXCLUSIVE: [&str; 2] = ["history", "no-history"];

/// Returns the values that an environment variable gives an option.
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

/// Bytes of a `message` command beside its text: keys, channel, nonce, id.
const ENVELOPE_BYTES: usize = 512;

/// Names of the options that were given, each with the argument or variable that gave it.
#[derive(Default)]
struct Given(Vec<(&'static str, String)>);

impl Given {
    fn source(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, source)| source.as_str())
    }

    /// Refuses options that contradict each other, and adds warnings about doubtful ones.
    fn check(&self, options: &mut ServeOptions) -> Result<(), String> {
        let both = |one, other| Some((self.source(one)?, self.source(other)?));
        if let Some((one, other)) = both("history", "no-history") {
            return Err(format!("{one} and {other} exclude each other"));
        }
        match &options.record {
            Some(_) if !options.in_memory => return Err("--record needs --no-history".to_owned()),
            Some(_) if options.www.is_some() => return Err("--record excludes --www".to_owned()),
            Some(_) => {}
            None => options.given.clear(),
        }
        let limits = &options.limits;
        let (chars, bytes) = (limits.text_chars, limits.message_bytes);
        if let Some((one, other)) = both("max-text-chars", "max-message-bytes")
            && chars > bytes
        {
            return Err(format!(
                "{one} {chars} can't be reached: {other} {bytes} allows only shorter messages"
            ));
        }
        let mut warnings = Vec::new();
        // A character is up to four bytes of UTF-8.
        let needed = chars.saturating_mul(4).saturating_add(ENVELOPE_BYTES);
        if needed > bytes {
            warnings.push(format!(
                "texts of --max-text-chars {chars} may be longer than --max-message-bytes {bytes}, \
                 which closes their connection; {needed} bytes are enough"
            ));
        }
        if bytes > limits.buffered_bytes {
            warnings.push(format!(
                "--max-message-bytes {bytes} is more than --max-buffered-bytes {} for all \
                 connections together",
                limits.buffered_bytes
            ));
        }
        if options.in_memory {
            let unused = ["sync", "history-keep", "history-days", "history-bytes"];
            let unused = unused.into_iter().filter_map(|name| self.source(name));
            warnings
                .extend(unused.map(|source| format!("{source} has no effect without a history")));
        }
        options.warnings = warnings;
        Ok(())
    }
}
