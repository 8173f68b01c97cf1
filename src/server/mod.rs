//! The driver: connects the hub to sockets, clocks and signals. The only code that knows `mio`.
//!
//! One thread runs one loop, which follows the contract at the head of [`hub`](crate::hub).
//!
//! Sockets are registered once, for reading and writing, edge-triggered: an event reports that a
//! socket *becomes* ready, and is not repeated. The hub keeps the queue of sockets that must be
//! read again. A mio token is the connection's index in the hub, which is not reused within a turn
//! (contract 6), so an event never reaches another connection.

mod folder;
mod listener;
mod notify;
mod signals;
mod socket;

pub use folder::Folder;
pub use listener::{Address, Listener, raise_open_files};
pub use notify::Notifier;
pub use socket::PeerSocket;

use crate::hub::{Driven, Ended, Input};
use crate::limits::READ_BYTES;
use crate::time::{Millis, Now, UnixMillis};
use mio::{Events, Interest, Poll, Token};
use signals::Signals;
use socket::ReadResult;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant, SystemTime};

/// The greatest token. The listeners count down from it, and connections count up from 0.
const SIGNALS: Token = Token(usize::MAX);
/// The time from the signal to stop until connections are closed. A connection that was accepted
/// just before the signal gets its response.
const GRACE: Duration = Duration::from_millis(50);
/// The most events that one poll returns. The next poll returns the rest.
const EVENTS: usize = 1_024;

/// The server with its sockets, around a hub or a recorder.
pub struct Server<H> {
    poll: Poll,
    events: Events,
    signals: Signals,
    /// Empty if the server is shutting down.
    listeners: Vec<Listener>,
    /// The service manager (systemd), if there is one.
    notifier: Option<Notifier>,
    hub: H,
    /// All connections are read into this buffer.
    buffer: Box<[u8]>,
    start: Instant,
    /// How long a shutdown waits for connections to close.
    drain: Duration,
    /// When a shutdown closes the connections; `None` before it, and once they are closing.
    drain_at: Option<Millis>,
    /// When a shutdown ends, even if connections are still open.
    stop_at: Option<Millis>,
}

impl<H: Driven<PeerSocket>> Server<H> {
    /// Connects a hub to its listeners. From here on [`Server::run`] handles SIGTERM, SIGINT and
    /// SIGHUP. `drain` is the value of `--drain`.
    pub fn new(
        mut listeners: Vec<Listener>,
        hub: H,
        drain: Duration,
        notifier: Option<Notifier>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let signals = Signals::new(poll.registry(), SIGNALS)?;
        for (number, listener) in listeners.iter_mut().enumerate() {
            listener.register(poll.registry(), Token(SIGNALS.0 - 1 - number))?;
            listener.measure_room()?;
        }
        Ok(Self {
            signals,
            poll,
            events: Events::with_capacity(EVENTS),
            listeners,
            notifier,
            hub,
            buffer: vec![0; READ_BYTES].into(),
            start: Instant::now(),
            drain,
            drain_at: None,
            stop_at: None,
        })
    }

    /// Serves until a signal ends it. Fails only if the system can't wait for events.
    pub fn run(mut self) -> io::Result<()> {
        self.notify("READY=1\nSTATUS=0 connections");
        while !self.is_over() {
            self.wait()?;
            let began = Instant::now();
            let now = self.now(began);
            let signals = self.handle_events(now);
            self.accept(now);
            if signals > 0 && !self.stop(signals, now) {
                break;
            }
            self.read(now);
            if self.drain_at.take_if(|at| *at <= now.mono).is_some() {
                self.hub.handle(Input::Drain, now);
            }
            self.hub.end_turn(now);
            self.hub.handle(Input::TurnTook(began.elapsed()), now);
            if let Some(notifier) = &mut self.notifier {
                notifier.beat(self.hub.connections(), now.mono);
            }
        }
        Ok(())
    }

    /// Contract 1: waits for events, at most until the next deadline.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut self.events, timeout) {
                // A signal interrupted the wait. A turn now would check deadlines before reading
                // input that arrived in time.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.listeners.iter().any(Listener::has_more) {
            return Some(Duration::ZERO);
        }
        let retry_at = self.listeners.iter().filter_map(|it| it.retry_at).min();
        let beat_at = self.notifier.as_ref().and_then(Notifier::next);
        let hub_at = self.hub.next_deadline();
        let times = [hub_at, retry_at, beat_at, self.drain_at, self.stop_at];
        // `now` is rounded down to whole milliseconds, so a wait never ends before its deadline.
        let now = self.now(Instant::now()).mono;
        times.into_iter().flatten().min().map(|at| at.since(now))
    }

    /// Reads both clocks. A wall clock before 1970 counts as 1970.
    fn now(&self, instant: Instant) -> Now {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Now {
            mono: Millis(millis(instant.duration_since(self.start))),
            unix: UnixMillis(millis(unix)),
        }
    }

    /// Contract 2: reports the events. Returns the number of signals.
    fn handle_events(&mut self, now: Now) -> usize {
        let mut signals = 0;
        for event in self.events.iter() {
            match event.token() {
                SIGNALS => signals += self.signals.take(),
                Token(index) => {
                    if let Some(listener) = self.listeners.get_mut(SIGNALS.0 - 1 - index) {
                        listener.waiting = true;
                        continue;
                    }
                    let Some(id) = self.hub.id(index) else {
                        continue;
                    };
                    let closed = event.is_error() || event.is_read_closed();
                    if closed && let Some(socket) = self.hub.socket(id) {
                        socket.peer_closed = true;
                    }
                    if closed || event.is_readable() {
                        self.hub.handle(Input::Readable(id), now);
                    }
                    // After an error, the next write fails.
                    if event.is_writable() || event.is_write_closed() || event.is_error() {
                        self.hub.handle(Input::Writable(id), now);
                    }
                }
            }
        }
        signals
    }

    /// Contract 2: accepts the pending connections.
    fn accept(&mut self, now: Now) {
        let (hub, poll) = (&mut self.hub, &self.poll);
        for listener in &mut self.listeners {
            listener.accept(now.mono, hub.connections(), |mut stream, peer| {
                // Output is written once a turn, so Nagle's algorithm would only delay it. This
                // fails for a Unix socket, and for a peer that is gone, which reading reports.
                let _ = stream.set_nodelay(true);
                let token = Token(hub.next_index());
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, token, interest)?;
                let socket = PeerSocket {
                    stream,
                    peer_closed: false,
                };
                hub.handle(Input::Accepted { socket, peer }, now);
                Ok(())
            });
        }
    }

    /// Contract 3: reads the connections that the hub names.
    fn read(&mut self, now: Now) {
        while let Some(id) = self.hub.next_read(now) {
            let Some(socket) = self.hub.socket(id) else {
                continue;
            };
            let input = match socket.read(&mut self.buffer) {
                Ok(ReadResult::Bytes { count, more }) => Input::Received {
                    id,
                    bytes: &mut self.buffer[..count],
                    more,
                },
                Ok(ReadResult::EndOfStream) => Input::Ended(id, Ended::EndOfStream),
                Err(_) => Input::Ended(id, Ended::Failed),
            };
            self.hub.handle(input, now);
        }
    }

    /// Begins a shutdown. Returns false after a second signal, which ends the loop at once.
    fn stop(&mut self, signals: usize, now: Now) -> bool {
        if std::mem::take(&mut self.listeners).is_empty() {
            return false;
        }
        let seconds = self.drain.as_secs_f64();
        log::info!("stopping; connections have {seconds} s to close");
        self.notify("STOPPING=1\nSTATUS=waiting for connections to close");
        let drain_at = now.mono.after(GRACE);
        self.drain_at = Some(drain_at);
        self.stop_at = Some(drain_at.after(self.drain));
        signals == 1
    }

    fn notify(&self, lines: &str) {
        if let Some(notifier) = &self.notifier {
            notifier.send(lines);
        }
    }

    fn is_over(&self) -> bool {
        let has_ended = |at| self.hub.connections() == 0 || at <= self.now(Instant::now()).mono;
        self.drain_at.is_none() && self.stop_at.is_some_and(has_ended)
    }
}
