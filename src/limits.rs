//! **The** table of what a peer could make grow, and how far. The README's table is checked against
//! this one (`tests/tidy.rs`).
//!
//! What somebody may choose is a field of [`Limits`], set by an option of the same name; what a
//! standard or the design
//! fixes is a constant below, with its reason.

use std::time::Duration;

/// Everything that a peer could make grow, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--max-connections`: open sockets; one more is answered 503.
    pub connections: u32,
    /// `--max-connections-per-ip`: of one address (IPv6: of one /64); one more is answered 429. 0:
    /// no limit.
    pub connections_per_ip: u32,
    /// `--max-header-bytes`: a longer request head is answered 431.
    pub request_head_bytes: usize,
    /// `--max-message-bytes`: a longer message on `/chat` closes with 1009.
    pub message_bytes: usize,
    /// `--max-text-chars`: a longer `text` is `too_long`. Characters, not bytes.
    pub text_chars: usize,
    /// `--max-echo-bytes`: a longer message on `/echo` closes with 1009.
    pub echo_bytes: usize,
    /// `--max-channels`: one more is `too_many_channels`.
    pub channels: usize,
    /// `--max-buffered-bytes`: unfinished messages and send queues of all connections together.
    pub buffered_bytes: usize,
    /// `--rate`: commands a second on `/chat`, with a burst of twice that. 0: no limit.
    pub rate: u32,
    /// `--send-queue-bytes`: what may wait for a slow reader.
    pub send_queue_bytes: usize,
    /// `--handshake-timeout`: for a whole request head; for the next one; for a response to make
    /// progress.
    pub handshake_timeout: Duration,
    /// `--message-timeout`: for a whole message after its first byte.
    pub message_timeout: Duration,
    /// `--hello-timeout`: for `hello` after the upgrade. Zero: no limit.
    pub hello_timeout: Duration,
    /// `--ping-interval`: silence after which a ping is sent. Zero: none.
    pub ping_interval: Duration,
    /// `--pong-timeout`: silence after that ping, after which the connection is dropped.
    pub pong_timeout: Duration,
    /// `--resume-window`: how long a user without a connection stays online.
    pub resume_window: Duration,
    /// `--session-days`: how long a session is known after it was last seen, in days.
    pub session_days: u32,
    /// `--drain`: how long a stop waits for closes.
    pub drain: Duration,
    /// Not `--no-trace`: connections may ask to see their own frames.
    pub trace: bool,
}

impl Limits {
    /// The defaults of PROTOCOL.md's table of options.
    pub const DEFAULT: Self = Self {
        connections: 10_000,
        connections_per_ip: 100,
        request_head_bytes: 8 << 10,
        message_bytes: 64 << 10,
        text_chars: 4_000,
        echo_bytes: 1 << 20,
        channels: 1_000,
        buffered_bytes: 64 << 20,
        rate: 20,
        send_queue_bytes: 1 << 20,
        handshake_timeout: Duration::from_secs(10),
        message_timeout: Duration::from_secs(60),
        hello_timeout: Duration::from_secs(30),
        ping_interval: Duration::from_secs(30),
        pong_timeout: Duration::from_secs(20),
        resume_window: Duration::from_secs(30),
        session_days: 30,
        drain: Duration::from_secs(5),
        trace: true,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A control frame's payload in bytes (RFC 6455 §5.5): not ours to choose.
pub const CONTROL_PAYLOAD_MAX: usize = 125;
/// Header lines of one request; more are answered 431.
pub const HEADER_LINES: usize = 100;
/// One connection is read at most this far in one turn, in bytes: the fairness bound.
pub const READ_BYTES: usize = 64 << 10;
/// All connections together are read at most this far in one turn, in bytes.
pub const TURN_READ_BYTES: usize = 4 << 20;
/// What a turn puts out, in bytes: *read* stops at this many, and *apply* at as many more. The rest
/// comes first in the next turn.
pub const TURN_OUTPUT_BYTES: usize = 512 << 10;
/// What a turn puts out for a single connection, in bytes: its further questions wait for the next
/// turn, and a page of history holds no more than is left of this, but always one message.
pub const CONNECTION_OUTPUT_BYTES: usize = 256 << 10;
/// Messages of one page at most, and of one `joined`.
pub const PAGE_MESSAGES: u32 = 200;
/// Messages of a page where nobody said how many.
pub const PAGE_MESSAGES_DEFAULT: u32 = 50;
/// Connections accepted in one turn; that more wait is remembered.
pub const TURN_ACCEPTS: usize = 64;
/// Descriptors that connections leave free, for the history's files and for pages that are read;
/// where there are few, a quarter.
pub const SPARE_DESCRIPTORS: usize = 16;
/// Control frames and fragments a second that cost nothing; beyond, each counts as a command.
pub const FREE_CHORES: u32 = 10;
/// Refusals by the rate within [`FLOOD_WINDOW`] after which the connection is closed with 1008.
pub const FLOOD_REFUSALS: u32 = 100;
/// See [`FLOOD_REFUSALS`].
pub const FLOOD_WINDOW: Duration = Duration::from_secs(10);
/// What a `join` that creates a channel costs, and a `try`, in commands.
pub const COST_OF_EVERYBODY: u32 = 5;
/// What a `rename` costs, in commands.
pub const COST_OF_RENAME: u32 = 20;
/// After our close frame, how long the peer has for its own (RFC 6455 §7.1.1).
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// After an HTTP refusal, how long input is read and discarded (RFC 9112 §9.6), …
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// … and how much of it, in bytes.
pub const LINGER_BYTES: usize = 64 << 10;
/// Connections beyond `connections` that may be told 503 at the same time; beyond these: closed at
/// once.
pub const REFUSED_CONNECTIONS: usize = 64;
/// A name of a user or a channel, in characters, after normalisation.
pub const NAME_CHARS: usize = 32;
/// Names in one list of `welcome`, `joined`, `users`, `presence`, `members`.
pub const LIST_NAMES: usize = 500;
/// Private conversations in `welcome`.
pub const LIST_CONVERSATIONS: usize = 200;
/// Channels that one connection may be in.
pub const CHANNELS_PER_CONNECTION: usize = 100;
/// A `nonce`, in characters.
pub const NONCE_CHARS: usize = 64;
/// How long a nonce is known, by the wall clock.
pub const NONCE_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Nonces that are remembered where there is no history on disk.
pub const NONCES_IN_MEMORY: usize = 100_000;
/// Nonces of messages that were pruned within a day, in a history on disk.
pub const PRUNED_NONCES: u32 = 1_000_000;
/// The write-ahead log of the history, in bytes: what it may have become when a reader keeps it
/// from its end.
pub const WAL_BYTES: u64 = 16 << 20;
/// Pages in the log after which it is put into the file.
pub const WAL_CHECKPOINT_PAGES: u32 = 1_000;
/// Messages of a channel that are kept where there is no history on disk.
pub const MESSAGES_IN_MEMORY: usize = 1_000;
/// Bytes of all messages that are kept where there is no history on disk.
pub const HISTORY_IN_MEMORY: usize = 64 << 20;
/// Sessions that are kept where there is no history on disk; of more, those seen longest ago are
/// forgotten.
pub const SESSIONS_IN_MEMORY: usize = 100_000;
/// Conversations that are kept; of more, those used longest ago are forgotten, numbers and all.
pub const CONVERSATIONS_IN_MEMORY: usize = 100_000;
/// Channels that are put away at most; of more, the one used longest ago is forgotten, and its name
/// is free.
pub const PUT_AWAY: usize = 10_000;
/// A day, in milliseconds.
pub(crate) const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// After a restart the names of sessions that were seen within this time are held for them, for the
/// resume window.
pub const NAMES_HELD_OVER: Duration = Duration::from_secs(24 * 60 * 60);
/// How often gathered news (`presence`, `members`, `channels_changed`) is told: four times a
/// second.
pub const GATHERING: Duration = Duration::from_millis(250);
/// `typing` of one user in one place is passed on once in this time.
pub const TYPING_INTERVAL: Duration = Duration::from_secs(1);
/// A warning in the log is told once in this time, with a count.
pub const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Of a frame that is traced so many bytes are shown; `try` takes as many.
pub const TRACE_FRAME_BYTES: usize = 4 << 10;
/// Frames that came on one connection in one turn, of which a trace tells; as many again of those
/// that went.
pub const TRACE_FRAMES: usize = 64;
/// Traces of one turn, all connections together, in bytes.
pub const TRACE_TURN_BYTES: usize = 256 << 10;
/// Frames of one `try` that are looked at.
pub const TRY_FRAMES: usize = 32;
/// A file of `--www DIR`, in bytes; a larger one is not served.
pub const PAGE_FILE_BYTES: u64 = 16 << 20;

const _: () = assert!(
    READ_BYTES > Limits::DEFAULT.request_head_bytes,
    "a whole head fits into one read"
);
