//! The table of the server's options. The command line, the environment, `--help` and the table in
//! the documentation come from these rows.

use super::args::{self, Parsed};
use super::values;
use crate::history::Settings;
use crate::hub::{Network, Origins};
use crate::limits::Limits;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The default of `--listen`.
pub(crate) const LISTEN: &str = "127.0.0.1:8080";

/// Everything that the command line and the environment decide about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// `--listen`: each `ADDR:PORT`, where the address may be a host name, or `unix:PATH`. If there
    /// is none, the default is meant.
    pub listen: Vec<String>,
    /// `--www`: a folder to serve instead of the built-in page.
    pub www: Option<PathBuf>,
    /// `--origin`: the pages that may connect.
    pub origins: Origins,
    /// `--trusted-proxy`: networks of proxies whose headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// `--user-header`: the header in which a trusted proxy names the user.
    pub user_header: Option<String>,
    /// `--history` and the options that go with it.
    pub history: Settings,
    /// `--no-history`: `history` is not used.
    pub in_memory: bool,
    /// `--owner-key`: the file with the owner's key.
    pub owner_key: Option<PathBuf>,
    /// `--password-file`: the file with the room's password.
    pub password_file: Option<PathBuf>,
    /// `--record`: the file for the recording.
    pub record: Option<PathBuf>,
    /// With `--record`: everything given, by the environment too, as command line arguments.
    pub given: Vec<String>,
    /// One sentence for each combination of options that can't work as it was probably meant.
    pub warnings: Vec<String>,
    /// The options that are limits.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            www: None,
            origins: Origins::SameHost,
            trusted_proxies: Vec::new(),
            user_header: None,
            history: Settings::default(),
            in_memory: cfg!(not(feature = "history")),
            owner_key: None,
            password_file: None,
            record: None,
            given: Vec::new(),
            warnings: Vec::new(),
            limits: Limits::DEFAULT,
        }
    }
}

/// A row of the table of options.
pub struct Row {
    /// The heading under which `--help` shows it.
    pub group: &'static str,
    /// The name without its dashes.
    pub name: &'static str,
    /// The name of its value; empty for a flag.
    pub value: &'static str,
    /// The sentence for `--help`.
    pub help: &'static str,
    kind: Kind,
}

type Set = fn(&mut ServeOptions, &OsStr) -> Result<(), String>;

/// How a value is parsed, and where it is stored.
enum Kind {
    Flag(fn(&mut ServeOptions)),
    /// A whole number: its range, and how its field is read and set.
    Whole(
        RangeInclusive<u64>,
        fn(&ServeOptions) -> u64,
        fn(&mut ServeOptions, u64),
    ),
    Seconds(fn(&mut Limits) -> &mut Duration),
    SecondsOrZero(fn(&mut Limits) -> &mut Duration),
    /// Anything else, with its default.
    Value(&'static str, Set),
    /// The same, but each use adds a value. Otherwise the last one counts.
    List(&'static str, Set),
}

/// The kind of a whole number, stored in this field. The range fits the field's type.
macro_rules! whole {
    ($range:expr, $($field:ident).+) => {
        Kind::Whole($range, |o| o.$($field).+ as u64, |o, number| o.$($field).+ = number as _)
    };
}

/// A length that fits a 32-bit machine.
const BYTES: RangeInclusive<u64> = 1..=1 << 30;
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
const COUNT_OR_ZERO: RangeInclusive<u64> = 0..=1_000_000;
const DAYS: RangeInclusive<u64> = 1..=36_500;
/// A tebibyte, or as much as the machine can address.
const MEMORY: RangeInclusive<u64> = 1..=match usize::BITS > 40 {
    true => 1 << 40,
    false => u32::MAX as u64,
};

macro_rules! options {
    ($($group:literal { $($name:literal $value:literal $kind:expr, $help:literal;)* })*) => {
        /// Every option but `--help` and `--version`, in the order of `--help`.
        pub const ROWS: &[Row] = &[$($(Row {
            group: $group,
            name: $name,
            value: $value,
            help: $help,
            kind: $kind,
        },)*)*];
    };
}

use Kind::{Flag, List, Seconds, SecondsOrZero, Value};

options! {
    "Address and pages" {
        "listen" "ADDR:PORT"
            List(LISTEN, |o, value| values::listen(value).map(|listen| o.listen.push(listen))),
            "where to listen; port 0 means any free port; unix:/path/to/socket for a proxy on this \
             machine; can be given several times";
        "origin" "URL" List("same host", add_origin),
            "an origin (scheme, host, port) whose pages may open the chat, such as \
             https://chat.example; can be given several times; * for any. Without it: pages of \
             this server itself, under an address or a name that no outsider can own";
        "trusted-proxy" "ADDR"
            List("", |o, value| values::network(value).map(|it| o.trusted_proxies.push(it))),
            "a proxy whose X-Forwarded-For or Forwarded header is believed; an address or a range \
             such as 10.0.0.0/8; can be given several times";
        "owner-key" "FILE"
            Value("", |o, value| values::path(value, "file").map(|it| o.owner_key = Some(it))),
            "the file with the owner's key; created with a fresh key if there is none. Without it \
             the key is another one at each start, shown on a terminal only";
        "password-file" "FILE"
            Value("", |o, value| values::path(value, "file").map(|it| o.password_file = Some(it))),
            "the file whose first line is the password of this chat";
        "user-header" "NAME"
            Value("", |o, value| values::header(value).map(|it| o.user_header = Some(it))),
            "the header in which a trusted proxy names the user, such as Remote-User: users need \
             no other name, and requests without it get 403; needs --trusted-proxy";
        "www" "DIR"
            Value("built in", |o, value| values::path(value, "folder").map(|it| o.www = Some(it))),
            "serve the page's files from a folder; hidden files and links are not served";
    }
    "History" {
        "history" "FILE" Value("parlor.db", set_history),
            "the database that keeps messages; created if there is none";
        "no-history" "" Flag(|o| o.in_memory = true),
            "keep messages in memory only, the newest of each channel (1,000; 64 MiB in all)";
        "sync" "MODE"
            Value("normal", |o, value| values::sync(value).map(|sync| o.history.sync = sync)),
            "what an acknowledged message survives: normal, a crash of the process; full, a crash \
             of the machine";
        "history-keep" "N" whole!(1..=1 << 40, history.keep),
            "messages kept of each channel";
        "history-days" "N" whole!(DAYS, history.days),
            "days that messages are kept, counted back from the newest message";
        "history-bytes" "N" whole!(1 << 20..=1 << 50, history.bytes),
            "size of the database above which the oldest messages are deleted";
        "session-days" "N" whole!(DAYS, limits.session_days),
            "days that a session is kept after it was last seen";
    }
    "Limits" {
        "max-connections" "N" whole!(COUNT, limits.connections),
            "open connections; further ones get 503";
        "max-connections-per-ip" "N" whole!(COUNT_OR_ZERO, limits.connections_per_ip),
            "WebSockets of one address (IPv6: of one /64), and eight times as many connections in \
             all; further ones get 429; 0: no limit";
        "max-header-bytes" "N" whole!(1..=1 << 20, limits.request_head_bytes),
            "longer request headers get 431";
        "max-message-bytes" "N" whole!(BYTES, limits.message_bytes),
            "a longer message on /chat closes its connection with 1009";
        "max-text-chars" "N" whole!(BYTES, limits.text_chars),
            "a longer text gets the error too_long";
        "max-echo-bytes" "N" whole!(BYTES, limits.echo_bytes),
            "a longer message on /echo closes its connection with 1009";
        "max-channels" "N" whole!(COUNT, limits.channels),
            "channels listed at a time; a further one replaces the empty channel that was used \
             longest ago, and is refused only if none is empty";
        "max-buffered-bytes" "N" whole!(MEMORY, limits.buffered_bytes),
            "memory for unfinished messages and send queues of all connections; above it, the \
             connection that holds most is closed with 1013";
        "rate" "N" whole!(COUNT_OR_ZERO, limits.rate),
            "commands a second per connection, in bursts of up to twice that; 0: no limit";
        "send-queue-bytes" "N" whole!(BYTES, limits.send_queue_bytes),
            "bytes that may wait for a slow client before it is closed with 1013";
    }
    "Times, in seconds; they may have a fraction" {
        "handshake-timeout" "S" Seconds(|limits| &mut limits.handshake_timeout),
            "for complete request headers, and for a client to read some of a response";
        "message-timeout" "S" Seconds(|limits| &mut limits.message_timeout),
            "for a whole message, from its first byte";
        "hello-timeout" "S" SecondsOrZero(|limits| &mut limits.hello_timeout),
            "for a client to send hello; 0: no limit";
        "ping-interval" "S" SecondsOrZero(|limits| &mut limits.ping_interval),
            "silence after which a ping is sent; 0: no pings";
        "pong-timeout" "S" Seconds(|limits| &mut limits.pong_timeout),
            "silence after that ping until the connection is dropped";
        "resume-window" "S" SecondsOrZero(|limits| &mut limits.resume_window),
            "how long a user without a connection stays online";
        "drain" "S" SecondsOrZero(|limits| &mut limits.drain),
            "how long a shutdown waits for connections to close";
    }
    "For study" {
        "record" "FILE" Value("", set_record),
            "record all input for parlor replay; needs --no-history. The file has everything that \
             people write, and the seed of their sessions";
        "no-trace" "" Flag(|o| o.limits.trace = false),
            "turn off the wire view, in which users see the frames of their own connection";
    }
}

impl Row {
    /// Returns the option as it is written on the command line: `--listen ADDR:PORT`.
    pub fn usage(&self) -> String {
        format!("--{} {}", self.name, self.value)
            .trim_end()
            .to_owned()
    }

    /// Returns the environment variable that sets the option.
    ///
    /// ```
    /// use parlor::cli::options::ROWS;
    /// let row = ROWS.iter().find(|row| row.name == "max-message-bytes").unwrap();
    /// assert_eq!(row.variable(), "PARLOR_MAX_MESSAGE_BYTES");
    /// ```
    pub fn variable(&self) -> String {
        let name = self.name.replace('-', "_");
        format!("PARLOR_{}", name.to_ascii_uppercase())
    }

    /// Returns the default as it would be given; empty if there is none.
    pub fn default(&self) -> String {
        let options = &mut ServeOptions::default();
        match &self.kind {
            Flag(_) => String::new(),
            Kind::Whole(range, get, _) => match get(options) {
                number if range.contains(&number) => number.to_string(),
                _ => "no limit".to_owned(),
            },
            Seconds(field) | SecondsOrZero(field) => {
                field(&mut options.limits).as_secs_f64().to_string()
            }
            Value(default, _) | List(default, _) => (*default).to_owned(),
        }
    }

    /// Stores a value. An error says what it must be.
    fn set(&self, options: &mut ServeOptions, value: &OsStr) -> Result<(), String> {
        match &self.kind {
            Flag(set) => set(options),
            Kind::Whole(range, _, set) => set(options, values::number(value, range)?),
            Seconds(field) => *field(&mut options.limits) = values::seconds(value, false)?,
            SecondsOrZero(field) => *field(&mut options.limits) = values::seconds(value, true)?,
            Value(_, set) | List(_, set) => set(options, value)?,
        }
        Ok(())
    }

    /// Returns the values that the environment variable gives.
    fn split(&self, variable: OsString) -> Result<Vec<OsString>, String> {
        match (&self.kind, variable.to_str()) {
            (_, Some("")) | (Flag(_), Some("0")) => Ok(Vec::new()),
            (Flag(_), Some("1")) => Ok(vec![OsString::new()]),
            (Flag(_), _) => Err(format!("must be 1 or 0, not {variable:?}")),
            (List(..), Some(list)) => Ok(list.split(',').map(|it| it.trim().into()).collect()),
            _ => Ok(vec![variable]),
        }
    }
}

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
    let error = || format!("needs a parlor that was built with the feature {feature}");
    is_there.then_some(()).ok_or_else(error)
}

/// The action that the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The help text (`--help`).
    Help,
    /// The version number (`--version`).
    Version,
    /// The server, with these options.
    Serve(Box<ServeOptions>),
}

/// Parses the command line (without the program's name), and the environment for options that are
/// not on it. An error is one line.
///
/// `variable` looks up an environment variable. An empty one counts as unset, so that a service
/// file can override one.
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
    let mut given = Vec::new();
    for row in ROWS {
        let mut source = format!("--{}", row.name);
        let mut values: Vec<_> = arguments.values(row.name).map(OsStr::to_owned).collect();
        // An argument wins over the variable of the option that excludes it, too.
        let is_excluded =
            EXCLUSIVE.contains(&row.name) && EXCLUSIVE.into_iter().any(|name| arguments.has(name));
        if values.is_empty() && !is_excluded {
            source = row.variable();
            let variable = variable(&source).unwrap_or_default();
            let split = row.split(variable);
            values = split.map_err(|error| format!("{source} {error}"))?;
        }
        for value in &values {
            let set = row.set(&mut options, value);
            set.map_err(|error| format!("{source} {error}, not {value:?}"))?;
            let equals = if row.value.is_empty() { "" } else { "=" };
            let given = format!("--{}{equals}{}", row.name, value.display());
            options.given.push(given);
        }
        if !values.is_empty() {
            given.push((row.name, source));
        }
    }
    check(&mut options, &given, variable("LISTEN_FDS").is_some())?;
    Ok(Asked::Serve(options))
}

/// A database, or none.
const EXCLUSIVE: [&str; 2] = ["history", "no-history"];

/// Bytes of a `message` command beside its text: keys, channel, nonce, id.
const ENVELOPE_BYTES: usize = 512;

/// Refuses options that contradict each other, and adds warnings about doubtful ones. `given` has
/// the name of each given option, and the argument or variable that gave it. `has_sockets`: systemd
/// passes sockets, which may be a proxy's.
fn check(
    options: &mut ServeOptions,
    given: &[(&str, String)],
    has_sockets: bool,
) -> Result<(), String> {
    let source = |name| {
        let found = given.iter().find(|(known, _)| *known == name);
        found.map(|(_, source)| source)
    };
    for [one, other] in [EXCLUSIVE, ["user-header", "password-file"]] {
        if let (Some(one), Some(other)) = (source(one), source(other)) {
            return Err(format!("{one} and {other} exclude each other"));
        }
    }
    match &options.record {
        Some(_) if !options.in_memory => return Err("--record needs --no-history".to_owned()),
        Some(_) if options.www.is_some() => return Err("--record excludes --www".to_owned()),
        Some(_) => {}
        None => options.given.clear(),
    }
    let mut listen = options.listen.iter();
    let has_proxy = !options.trusted_proxies.is_empty()
        || has_sockets
        || listen.any(|listen| listen.starts_with("unix:"));
    if options.user_header.is_some() && !has_proxy {
        return Err("--user-header needs --trusted-proxy".to_owned());
    }
    let (chars, bytes) = (options.limits.text_chars, options.limits.message_bytes);
    if let (Some(one), Some(other)) = (source("max-text-chars"), source("max-message-bytes"))
        && chars > bytes
    {
        return Err(format!(
            "{one} {chars} is more than fits into {other} {bytes}"
        ));
    }
    // A character is up to four bytes of UTF-8.
    let needed = chars.saturating_mul(4).saturating_add(ENVELOPE_BYTES);
    if needed > bytes {
        options.warnings.push(format!(
            "texts of --max-text-chars {chars} may be longer than --max-message-bytes {bytes}, \
             which closes their connection; {needed} bytes are enough"
        ));
    }
    let buffered = options.limits.buffered_bytes;
    if bytes > buffered {
        options.warnings.push(format!(
            "--max-message-bytes {bytes} is more than --max-buffered-bytes {buffered} for all \
             connections together"
        ));
    }
    if options.in_memory {
        let unused = ["sync", "history-keep", "history-days", "history-bytes"];
        let unused = unused.into_iter().filter_map(source);
        let warn = |source| format!("{source} has no effect without a history");
        options.warnings.extend(unused.map(warn));
    }
    Ok(())
}
