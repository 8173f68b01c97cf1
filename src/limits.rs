//! The table of everything that a peer could make grow, and its bounds. The tables in `docs/` are
//! checked against it.
//!
//! A bound that an option sets is a field of [`Limits`]; one that a standard or the design fixes is
//! a constant. Two of these are in [`websocket`](crate::websocket) and [`http`](crate::http).

use std::time::Duration;

/// Declares [`Limits`] from rows of a field, its type and its default.
macro_rules! limits {
    ($($(#[$doc:meta])+ $field:ident: $type:ty = $default:expr,)+) => {
        /// The bounds that options set.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])+ pub $field: $type,)+
        }

        impl Limits {
            /// The defaults of all options.
            pub const DEFAULT: Self = Self { $($field: $default,)+ };
        }
    };
}

limits! {
    /// `--max-connections`: open sockets; further ones get 503.
    connections: u32 = 10_000,
    /// `--max-connections-per-ip`: WebSockets of one address (IPv6: /64), and eight times as many
    /// sockets; further ones get 429. 0: no limit.
    connections_per_ip: u32 = 100,
    /// `--max-header-bytes`: the head of a request; a longer one gets 431.
    request_head_bytes: usize = 8 << 10,
    /// `--max-message-bytes`: a message on `/chat`; a longer one closes with 1009.
    message_bytes: usize = 64 << 10,
    /// `--max-text-chars`: characters of a `text`; a longer one is `too_long`.
    text_chars: usize = 4_000,
    /// `--max-echo-bytes`: a message on `/echo`; a longer one closes with 1009.
    echo_bytes: usize = 1 << 20,
    /// `--max-channels`: channels that are listed.
    channels: usize = 1_000,
    /// `--max-buffered-bytes`: incomplete messages and send queues of all connections together.
    buffered_bytes: usize = 64 << 20,
    /// `--rate`: commands a second on `/chat`, with a burst of twice that. 0: no limit.
    rate: u32 = 20,
    /// `--send-queue-bytes`: the queue of a slow reader.
    send_queue_bytes: usize = 1 << 20,
    /// `--handshake-timeout`: for a request head, for the next one, and for progress of a response.
    handshake_timeout: Duration = Duration::from_secs(10),
    /// `--message-timeout`: for a complete message after its first byte.
    message_timeout: Duration = Duration::from_secs(60),
    /// `--hello-timeout`: for `hello` after the upgrade. Zero: no limit.
    hello_timeout: Duration = Duration::from_secs(30),
    /// `--ping-interval`: silence after which a ping is sent. Zero: none.
    ping_interval: Duration = Duration::from_secs(30),
    /// `--pong-timeout`: silence after that ping, after which the connection is dropped.
    pong_timeout: Duration = Duration::from_secs(20),
    /// `--resume-window`: how long a user without a connection stays online.
    resume_window: Duration = Duration::from_secs(30),
    /// `--session-days`: days for which a session is kept after it was last used.
    session_days: u32 = 30,
    /// `--drain`: how long a shutdown waits for closing handshakes.
    drain: Duration = Duration::from_secs(5),
    /// Whether connections may ask to see their own frames; `--no-trace` forbids it.
    trace: bool = true,
}

/// Bytes read from one connection in one turn, so that it does not delay the others for long.
pub const READ_BYTES: usize = 64 << 10;
/// Bytes read from all connections in one turn.
pub const TURN_READ_BYTES: usize = 4 << 20;
/// Requests of a turn; with more, no further connection is read.
pub const INBOX_REQUESTS: usize = 4_096;
/// Bytes that a turn puts out: *read* stops at this many, and *apply* at as many more.
pub const TURN_OUTPUT_BYTES: usize = 512 << 10;
/// Bytes that a turn puts out for one connection, a page of history included; further ones wait.
pub const CONNECTION_OUTPUT_BYTES: usize = 256 << 10;
/// Messages of one page of history, and of one `joined`.
pub const PAGE_MESSAGES: u32 = 200;
/// Messages of a page of history without a `limit`.
pub const PAGE_MESSAGES_DEFAULT: u32 = 50;
/// Connections accepted in one turn; the others wait for the next turn.
pub const TURN_ACCEPTS: usize = 64;
/// File descriptors reserved for the history and for pages; at most a quarter of all.
pub const SPARE_DESCRIPTORS: usize = 16;
/// Control frames and fragments a second that cost nothing; each further one counts as a command.
pub const FREE_CHORES: u32 = 10;
/// Rate-limited commands within [`FLOOD_WINDOW`] after which a connection is closed with 1008.
pub const FLOOD_REFUSALS: u32 = 100;
/// The time over which [`FLOOD_REFUSALS`] are counted.
pub const FLOOD_WINDOW: Duration = Duration::from_secs(10);
/// The cost of a `join` that creates a channel, of `own`, `search` and `try`, in commands.
pub const COST_OF_HEAVY_COMMAND: u32 = 5;
/// The cost of a `rename`, in commands.
pub const COST_OF_RENAME: u32 = 20;
/// Wrong keys or passwords from one address within [`WRONG_KEYS_WINDOW`]; further ones are
/// `rate_limited`.
pub const WRONG_KEYS: usize = 10;
/// The time over which [`WRONG_KEYS`] are counted.
pub const WRONG_KEYS_WINDOW: Duration = Duration::from_secs(60);
/// Addresses of which wrong keys are counted; beyond it, all are forgotten.
pub const WRONG_KEY_PEERS: usize = 10_000;
/// Users that are muted or kicked at a time.
pub const SANCTIONS: usize = 1_000;
/// The longest mute or kick, in minutes: a year.
pub const SANCTION_MINUTES: u32 = 525_600;
/// The longest time between two messages of a user in slow mode, in seconds: a day.
pub const SLOW_SECONDS: u32 = 86_400;
/// Users of which the time of the last message is kept, for each channel in slow mode.
pub const SLOW_USERS: usize = 10_000;
/// The time for the peer's close frame after ours (RFC 6455 §7.1.1).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for which input is read and discarded after an HTTP refusal (RFC 9112 §9.6).
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// The number of bytes that are read and discarded after a refusal.
pub const LINGER_BYTES: usize = 64 << 10;
/// Connections over `connections` that wait for their 503; further ones are closed at once.
pub const REFUSED_CONNECTIONS: usize = 64;
/// Sockets of one address, for each WebSocket of `connections_per_ip`.
pub const PAGES_FACTOR: u32 = 8;
/// Characters of the name of a user or a channel, after normalisation.
pub const NAME_CHARS: usize = 32;
/// Combining marks in a row in a name. More would cover the lines around it.
pub const NAME_MARKS: usize = 4;
/// Those of them with a combining class other than 0, which are drawn above or below each other.
pub const NAME_STACKED_MARKS: usize = 2;
/// Names in one list of `welcome`, `joined`, `users`, `presence`, `members`.
pub const LIST_NAMES: usize = 500;
/// Private conversations in `welcome`.
pub const LIST_CONVERSATIONS: usize = 200;
/// Channels that one connection may be in.
pub const CHANNELS_PER_CONNECTION: usize = 100;
/// Characters of a `nonce`.
pub const NONCE_CHARS: usize = 64;
/// Characters of the text of a search.
pub const SEARCH_CHARS: usize = 200;
/// Bytes of the `before` of a search: two numbers, and the name of a channel or two more numbers.
pub const SEARCH_BEFORE_BYTES: usize = 256;
/// Messages of one answer to a search.
pub const SEARCH_RESULTS: u32 = 50;
/// Messages of an answer to a search without a `limit`.
pub const SEARCH_RESULTS_DEFAULT: u32 = 20;
/// Bytes of one answer to a search.
pub const SEARCH_PAGE_BYTES: usize = 128 << 10;
/// Bytes of the history that searches read in one turn: about half a millisecond.
pub const SEARCH_TURN_BYTES: usize = 128 << 10;
/// Searches that take turns; further ones wait for them.
pub const SEARCHES_SIDE_BY_SIDE: usize = 16;
/// Different emojis among the reactions to one message.
pub const REACTIONS: usize = 20;
/// Bytes of the emoji of a reaction.
pub const EMOJI_BYTES: usize = 32;
/// The time for which a nonce is remembered.
pub const NONCE_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Nonces that are remembered without a history on disk.
pub const NONCES_IN_MEMORY: usize = 100_000;
/// Nonces of messages pruned within a day that a history on disk remembers.
pub const PRUNED_NONCES: u32 = 1_000_000;
/// The size of the history's write-ahead log at which nothing more is stored, in bytes. Above the
/// 500 MB at which Litestream waits for readers and empties it.
pub const WAL_BYTES: u64 = 1_024 << 20;
/// The size to which the write-ahead log is cut when it is restarted, in bytes.
pub const WAL_KEPT_BYTES: u64 = 8 << 20;
/// How long messages wait for another program that has locked the history.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log after which a checkpoint moves them to the database.
pub const WAL_CHECKPOINT_PAGES: u32 = 1_000;
/// Messages of a channel that are kept without a history on disk.
pub const MESSAGES_IN_MEMORY: usize = 1_000;
/// Bytes of all messages that are kept without a history on disk.
pub const HISTORY_IN_MEMORY: usize = 64 << 20;
/// Sessions that are kept without a history on disk; the least recently used are forgotten.
pub const SESSIONS_IN_MEMORY: usize = 100_000;
/// Conversations that are kept; the least recently used are forgotten.
pub const CONVERSATIONS_IN_MEMORY: usize = 100_000;
/// Channels without members that are remembered; the least recently used are forgotten.
pub const PUT_AWAY: usize = 10_000;
/// After a restart the names of sessions used within this time are reserved for the resume window.
pub const NAMES_HELD_OVER: Duration = Duration::from_secs(24 * 60 * 60);
/// The interval of `presence`, `members` and `channels_changed`.
pub const GATHERING: Duration = Duration::from_millis(250);
/// The interval in which `typing` of one user in one conversation is forwarded once.
pub const TYPING_INTERVAL: Duration = Duration::from_secs(1);
/// The interval in which the same warning is logged once, with a count.
pub const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of a traced frame that are shown, and bytes of one `try`.
pub const TRACE_FRAME_BYTES: usize = 4 << 10;
/// Received frames of one connection that are traced in one turn, and as many sent ones.
pub const TRACE_FRAMES: usize = 64;
/// Bytes of all traces of one turn.
pub const TRACE_TURN_BYTES: usize = 256 << 10;
/// Frames of one `try` that are examined.
pub const TRY_FRAMES: usize = 32;
/// Bytes of a file of `--www DIR`; a larger one is not served.
pub const PAGE_FILE_BYTES: u64 = 16 << 20;
/// Bytes of a file that is compressed for browsers; a larger one would delay all connections.
pub const GZIP_FILE_BYTES: usize = 1 << 20;
/// Bytes of compressed files that are kept; beyond it, all are forgotten.
pub const GZIP_BYTES: usize = 4 << 20;

const _: () = assert!(
    READ_BYTES > Limits::DEFAULT.request_head_bytes,
    "a whole head fits into one read"
);
