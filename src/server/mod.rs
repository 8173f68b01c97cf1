//! The driver: joins the hub to sockets, clocks and signals, and is the only place that knows
//! `mio`.
//!
//! One thread, one loop, and eight steps to a turn. The first two are here, the others are
//! [`Hub::end_turn`]:
//!
//! 1. **wait** for events, at most until the next deadline; not at all while something is left
//!    over.
//! 2. **read**: each ready connection once, into one buffer that all share.
//! 3. **due**, 4. **apply**, 5. **commit**, 6. **share**, 7. **flush**, 8. **free**: see
//!    `hub/mod.rs`.
//!
//! Sockets are registered once, for reading and writing, edge-triggered: an event tells that
//! readiness *begins*, and it is
//! not told again. Whoever is not read to the end stays in the *ready list*; whoever may not be
//! read now leaves it, and the
//! hub says when to come back. A mio token is the connection's index in the hub's slab, which is
//! not used again before the
//! turn is over, so an event can't meet a stranger there.
//!
//! Not here: what bytes mean (`hub`), options and the lines for people (`cli`).

mod folder;
mod listener;
mod pardon;
mod recording;
mod round;
mod signals;
mod socket;

pub use folder::Folder;
pub use listener::{Listener, raise_open_files};
pub use recording::Recording;

use crate::hub::record::Call;
use crate::hub::{ConnectionId, Ended, Hub, Setup};
use crate::limits::READ_BYTES;
use crate::time::{Millis, Now, UnixMillis};
use mio::{Events, Interest, Poll, Token};
use pardon::Pardon;
use recording::Recorder;
use round::Round;
use signals::Signals;
use socket::PeerSocket;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant, SystemTime};

/// Beyond every index that a slab can have.
const LISTENER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
/// Events that one poll takes. What does not fit is told by the next one.
const EVENTS: usize = 1_024;
/// The server with its sockets.
pub struct Server {
    poll: Poll,
    events: Events,
    signals: Signals,
    /// `None`: the server is about to stop.
    listener: Option<Listener>,
    hub: Hub<PeerSocket>,
    /// Told whatever the hub is told, where somebody asked for that.
    recorder: Recorder,
    /// Who has something to be read, or may have: the next in turn first, each once.
    ready: VecDeque<ConnectionId>,
    resumed: Vec<ConnectionId>,
    /// All connections are read into this one; nothing stays in it.
    buffer: Box<[u8]>,
    start: Instant,
    pardon: Pardon,
    drain: Duration,
    stop_at: Option<Millis>,
}

impl Server {
    /// Joins a hub to a listener. From here on SIGTERM, SIGINT and SIGHUP no longer kill the
    /// process: [`Server::run`] sees
    /// them. Fails where the system has no descriptors left for it.
    pub fn new(
        mut listener: Listener,
        setup: Setup,
        recording: Option<Recording>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        listener.register(poll.registry(), LISTENER)?;
        let signals = Signals::new(poll.registry(), SIGNALS)?;
        listener.measure_room()?;
        Ok(Self {
            signals,
            poll,
            events: Events::with_capacity(EVENTS),
            listener: Some(listener),
            drain: setup.limits.drain,
            hub: Hub::new(setup),
            recorder: Recorder::new(recording),
            ready: VecDeque::new(),
            resumed: Vec::new(),
            buffer: vec![0; READ_BYTES].into(),
            start: Instant::now(),
            pardon: Pardon::default(),
            stop_at: None,
        })
    }

    /// Serves until a signal ends it; fails only where the system can't wait for events any more.
    pub fn run(mut self) -> io::Result<()> {
        while !self.is_over() {
            let promised = self.hub.next_deadline();
            let quiet = self.wait()?;
            let began = Instant::now();
            let now = self.now(began);
            let signals = self.hear_events();
            self.accept(now);
            self.read(now);
            let judge = self.pardon.may_judge(promised, quiet, now.mono);
            self.recorder.call(&Call::Judge(judge));
            self.hub.set_judge_deadlines(judge);
            self.recorder.last_call(&Call::EndTurn(now));
            self.hub.end_turn(now);
            self.recorder.done();
            if signals > 0 && !self.stop(signals, now) {
                break;
            }
            let took = began.elapsed();
            self.recorder.call(&Call::TurnTook(took));
            self.hub.turn_took(took);
        }
        self.recorder.flush();
        Ok(())
    }

    /// **wait**. Returns whether there was nothing to be told and nothing left to be read: all that
    /// came was heard.
    fn wait(&mut self) -> io::Result<bool> {
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => return Ok(self.events.is_empty() && self.ready.is_empty()),
                // A signal came, or SIGCONT after a stop; of the sockets nothing is said. Whoever
                // judged deadlines now would
                // do it without having read what came in time.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How long there is nothing to do. Not at all while something is left over that no event will
    /// tell of.
    fn timeout(&self) -> Option<Duration> {
        let more_waits = self.listener.as_ref().is_some_and(Listener::has_more);
        if !self.ready.is_empty() || self.hub.has_work() || more_waits {
            return Some(Duration::ZERO);
        }
        // mono is cut to whole milliseconds, so a wait from there to the deadline never ends before
        // it: no turn in vain.
        let now = self.now(Instant::now()).mono;
        self.wake_at().map(|at| at.since(now))
    }

    /// When the loop must wake up at the latest.
    fn wake_at(&self) -> Option<Millis> {
        let retry_at = self.listener.as_ref().and_then(Listener::retry_at);
        [self.hub.next_deadline(), retry_at, self.stop_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Both clocks. The wall clock may be set before 1970; then it is 1970.
    fn now(&self, instant: Instant) -> Now {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Now {
            mono: Millis(millis(instant.duration_since(self.start))),
            unix: UnixMillis(millis(unix)),
        }
    }

    /// **read**, first part: who has something to be read. Returns how many signals came.
    fn hear_events(&mut self) -> usize {
        let Self {
            events,
            signals,
            listener,
            hub,
            recorder,
            ready,
            ..
        } = self;
        let mut came = 0;
        for event in events.iter() {
            match event.token() {
                LISTENER => listener.iter_mut().for_each(Listener::told),
                SIGNALS => came += signals.take(),
                Token(index) => {
                    let Some(id) = hub.id(index) else { continue };
                    let gone = event.is_error() || event.is_read_closed();
                    if gone || event.is_readable() {
                        list(hub, ready, id, gone);
                    }
                    // An error is told to whoever writes, too.
                    if event.is_writable() || event.is_write_closed() || event.is_error() {
                        recorder.call(&Call::Writable { index });
                        hub.writable(id);
                    }
                }
            }
        }
        came
    }

    /// **read**, second part: takes those who wait at the door.
    fn accept(&mut self, now: Now) {
        let Self {
            listener: Some(listener),
            poll,
            hub,
            recorder,
            ..
        } = self
        else {
            return;
        };
        listener.accept(now.mono, hub.connections(), |mut stream, peer| {
            // Answers are written whole, so Nagle would only hold them back (40 ms, with delayed
            // acks). If it fails the peer
            // is gone already, and reading will tell.
            let _ = stream.set_nodelay(true);
            let token = Token(hub.vacant_index());
            poll.registry().register(
                &mut stream,
                token,
                Interest::READABLE | Interest::WRITABLE,
            )?;
            recorder.call(&Call::Accepted { peer, now });
            hub.accepted(PeerSocket::new(stream, recorder.taken()), peer, now);
            Ok(())
        });
    }

    /// **read**, third part: everybody in the ready list once, until the turn has read enough. Who
    /// is not reached is first in
    /// the next turn.
    fn read(&mut self, now: Now) {
        let Self {
            hub,
            recorder,
            ready,
            resumed,
            buffer,
            ..
        } = self;
        recorder.call(&Call::TakeResumed);
        resumed.extend(hub.take_resumed());
        for id in resumed.drain(..) {
            list(hub, ready, id, false);
        }
        // After a crowd.
        resumed.shrink_to(EVENTS);
        ready.shrink_to(EVENTS);
        let mut round = Round::of(ready);
        // Not one by one: who was crowded out would come back behind those who crowd, turn after
        // turn.
        while !hub.is_crowded()
            && let Some(id) = round.next(ready)
        {
            let index = id.index();
            // Who is gone stands there still, and its index may be another's.
            if recorder.is_on() && hub.id(index) == Some(id) {
                recorder.call(&Call::WantsRead { index });
            }
            let wanted = hub.wants_read(id);
            let Some(socket) = hub.socket(id) else {
                continue;
            };
            socket.listed = false;
            if !wanted {
                continue;
            }
            let peer_closed = socket.peer_closed;
            match read_once(&mut socket.stream, buffer, peer_closed) {
                Ok((count, after)) => {
                    round.count(count);
                    if after == After::MoreLater {
                        list(hub, ready, id, false);
                    }
                    if count > 0 {
                        recorder.call(&Call::Received {
                            index,
                            bytes: &buffer[..count],
                            now,
                        });
                        hub.received(id, &mut buffer[..count], now);
                    }
                    if after == After::Ended {
                        recorder.call(&Call::Ended {
                            index,
                            why: Ended::EndOfStream,
                            now,
                        });
                        hub.ended(id, Ended::EndOfStream, now);
                    }
                }
                Err(_) => {
                    recorder.call(&Call::Ended {
                        index,
                        why: Ended::Failed,
                        now,
                    });
                    hub.ended(id, Ended::Failed, now);
                }
            }
        }
    }

    /// Does what a signal asks for. Returns whether the loop goes on: not after a second one.
    fn stop(&mut self, signals: usize, now: Now) -> bool {
        if self.listener.take().is_some() {
            log::info!(
                "stopping; connections have {} s to close",
                self.drain.as_secs_f64()
            );
            self.recorder.last_call(&Call::Drain(now));
            self.hub.drain(now);
            self.recorder.done();
            self.stop_at = Some(now.mono.after(self.drain));
            return signals == 1;
        }
        false
    }

    fn is_over(&self) -> bool {
        self.stop_at
            .is_some_and(|at| self.hub.is_drained() || at <= self.now(Instant::now()).mono)
    }
}

/// Puts a connection into the ready list, once.
fn list(
    hub: &mut Hub<PeerSocket>,
    ready: &mut VecDeque<ConnectionId>,
    id: ConnectionId,
    peer_closed: bool,
) {
    let Some(socket) = hub.socket(id) else { return };
    socket.peer_closed |= peer_closed;
    if !socket.listed {
        socket.listed = true;
        ready.push_back(id);
    }
}

/// What is to be expected of a socket that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// An event will tell when there is more.
    Drained,
    /// No event will tell: it has to be read again.
    MoreLater,
    /// The peer has shut down its sending side.
    Ended,
}

/// Reads once. Readiness is told once, when it *begins* (edge-triggered): whoever stops early must
/// come back by himself.
fn read_once(
    socket: &mut impl Read,
    buffer: &mut [u8],
    peer_closed: bool,
) -> io::Result<(usize, After)> {
    match socket.read(buffer) {
        Ok(0) => Ok((0, After::Ended)),
        // The buffer is full: there may be more. It comes again after the others have had their
        // turn.
        Ok(n) if n == buffer.len() => Ok((n, After::MoreLater)),
        // A short read has emptied the socket (epoll(7), question 9): a second read, which could
        // only say WouldBlock, is
        // saved. But if the peer's FIN came in the same event, no further event tells of it.
        // Without this line the
        // connection would sit here, closed by its peer, until its ping times out.
        Ok(n) if peer_closed => Ok((n, After::MoreLater)),
        Ok(n) => Ok((n, After::Drained)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok((0, After::Drained)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok((0, After::MoreLater)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same answer to every read.
    struct Answer(Result<usize, ErrorKind>);
    impl Read for Answer {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.map_err(io::Error::from)
        }
    }

    #[test]
    fn who_is_read_again_without_an_event() {
        let table = [
            (
                "a full buffer: there may be more",
                Ok(8),
                false,
                Ok((8, After::MoreLater)),
            ),
            (
                "a short read empties the socket",
                Ok(7),
                false,
                Ok((7, After::Drained)),
            ),
            (
                "a short read, and the FIN came with it",
                Ok(7),
                true,
                Ok((7, After::MoreLater)),
            ),
            ("the end", Ok(0), true, Ok((0, After::Ended))),
            (
                "the end, without an event that told of it",
                Ok(0),
                false,
                Ok((0, After::Ended)),
            ),
            (
                "nothing there",
                Err(ErrorKind::WouldBlock),
                false,
                Ok((0, After::Drained)),
            ),
            (
                "nothing there, and an error is said to come: events tell",
                Err(ErrorKind::WouldBlock),
                true,
                Ok((0, After::Drained)),
            ),
            (
                "interrupted",
                Err(ErrorKind::Interrupted),
                false,
                Ok((0, After::MoreLater)),
            ),
            (
                "a reset",
                Err(ErrorKind::ConnectionReset),
                true,
                Err(ErrorKind::ConnectionReset),
            ),
        ];
        for (name, answer, peer_closed, expected) in table {
            let read = read_once(&mut Answer(answer), &mut [0; 8], peer_closed);
            assert_eq!(read.map_err(|error| error.kind()), expected, "{name}");
        }
    }
}
