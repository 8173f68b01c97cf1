//! The simulated world: one server on one disk, its clients, and all events between them.

use crate::client::{Change, Client, OWNER_KEY, Place, is_of};
use crate::disk::{CrashPoint, Disk, Fault};
use crate::plan::{CLOCK, CRASHES, DISK, NETWORK, Plan, STALLS, VIOLATIONS};
use parlor::chat::Keys;
use parlor::hub::{Driven, Ended, Hub, Setup, Socket};
use parlor::limits::READ_BYTES;
use parlor::testing::{self, MemorySocket, Random};
use parlor::time::{Millis, Now, UnixMillis};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::rc::Rc;

/// Without faults, every client has every message within this many simulated milliseconds.
const CONVERGES_WITHIN: u64 = 60_000;
/// The most milliseconds by which the wall clock is wrong: nonces are kept for 24 hours of it.
const CLOCK_OFF: i64 = 11 * 60 * 60 * 1_000;

/// Receives a line for each event that a client receives.
pub(crate) type Trace = Box<dyn FnMut(&str)>;
/// What happens to the disk after its server has crashed.
pub(crate) type Recover = Box<dyn FnMut(&mut Disk)>;

/// The server's end of a connection. A server that crashes in the middle of a turn finishes the
/// turn, but its writes have no effect.
pub(crate) struct SimSocket {
    memory: MemorySocket,
    crash_point: Rc<RefCell<CrashPoint>>,
}

impl Socket for SimSocket {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let wire = self.memory.0.borrow();
        let takes = !wire.broken && wire.room.min(wire.write_most) > 0;
        drop(wire);
        if takes && !self.crash_point.borrow_mut().takes_effect() {
            return Ok(pieces.iter().map(|piece| piece.len()).sum());
        }
        self.memory.write(pieces)
    }

    fn shutdown_write(&mut self) {
        self.memory.shutdown_write();
    }
}

pub(crate) struct World {
    plan: Plan,
    random: Random,
    server: Option<testing::World<SimSocket>>,
    pub(crate) disk: Rc<RefCell<Disk>>,
    crash_point: Rc<RefCell<CrashPoint>>,
    clients: Vec<Client>,
    /// Milliseconds since the world began, and since this server started.
    time: u64,
    started: u64,
    clock_off: i64,
    texts: u64,
    /// A hash of all events that clients received; the same plan gives the same hash.
    pub(crate) digest: u64,
    pub(crate) steps: u64,
    pub(crate) trace: Option<Trace>,
    /// What happens to the disk after a crash, beside mounting it again.
    pub(crate) recover: Option<Recover>,
}

impl World {
    pub(crate) fn new(plan: Plan, disk: Disk) -> Self {
        let mut random = Random::new(plan.seed ^ 0x5157);
        let clients = (0..plan.clients).map(|number| {
            // There are fewer names than clients, so they compete.
            let name = match number % 4 {
                3 => format!("Ada{}", number % 3),
                _ => format!("user{number}"),
            };
            let rooms = (0..plan.channels).filter(|_| random.percent(60));
            let channels = rooms.map(|n| format!("room{n}"));
            let channels = channels.chain(["general".to_owned()]).collect();
            Client::new(number, name, channels, plan.deflate && random.percent(50))
        });
        let clients = clients.collect();
        let mut world = Self {
            plan,
            random,
            server: None,
            disk: Rc::new(RefCell::new(disk)),
            crash_point: Rc::default(),
            clients,
            time: 0,
            started: 0,
            clock_off: 0,
            texts: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            trace: None,
            recover: None,
        };
        world.start();
        world
    }

    fn now(&self) -> Now {
        let unix = 1_700_000_000_000 + self.time as i64 + self.clock_off;
        Now {
            mono: Millis(self.time - self.started),
            unix: UnixMillis(unix as u64),
        }
    }

    fn start(&mut self) {
        self.started = self.time;
        *self.crash_point.borrow_mut() = CrashPoint::default();
        let mut tokens = Random::new(self.random.number());
        self.server = Some(testing::World::new(Setup {
            keys: Keys::new(Some(OWNER_KEY), None),
            history: Box::new(Disk::mount(&self.disk, &self.crash_point)),
            tokens: Box::new(move || {
                (u128::from(tokens.number()) << 64 | u128::from(tokens.number())).to_be_bytes()
            }),
            ..testing::setup(self.plan.limits.clone(), self.now())
        }));
    }

    /// The server, with its clock set to the current time.
    fn server(&mut self) -> &mut testing::World<SimSocket> {
        let now = self.now();
        let server = self.server.as_mut().expect("a server is running");
        server.now = now;
        server
    }

    fn hub(&mut self) -> &mut Hub<SimSocket> {
        &mut self.server().hub
    }

    /// Plays the whole plan: first with faults, then without faults until every client has the
    /// whole state.
    pub(crate) fn run(&mut self) {
        for _ in 0..self.plan.steps {
            self.step();
        }
        self.converge();
    }

    /// Performs one random event and a turn of the server, and checks the invariants.
    fn step(&mut self) {
        self.steps += 1;
        self.time += self.random.below(40) as u64;
        let who = self.random.below(self.clients.len());
        match self.random.below(100) {
            0..40 => self.say(who),
            40..45 => self.send_direct(who),
            45..55 => self.change_something(who),
            55..60 => self.send_query(who),
            60..63 => self.join_or_leave(who),
            63..67 => self.send_owner_command(),
            _ => {}
        }
        if self.random.percent(self.plan.ratio) {
            self.inject_fault(who);
        }
        let some = 1 + self.random.below(8);
        for n in 0..some {
            let next = (who + n) % self.clients.len();
            self.connect(next);
            self.deliver(next, false);
        }
        self.turn();
        self.clients_receive(false);
        self.check();
    }

    fn say(&mut self, who: usize) {
        let channels: Vec<_> = self.clients[who].channels.iter().cloned().collect();
        let channel = channels[self.random.below(channels.len())].clone();
        let text = self.text();
        self.clients[who].say(Place::Channel(channel), Change::New, text);
    }

    /// Edits, deletes or reacts to a message, mostly one of the last that the client sent.
    fn change_something(&mut self, who: usize) {
        let (how, other) = (self.random.below(10), self.random.below(20) as u64);
        let text = self.text();
        let client = &self.clients[who];
        let back = self.random.below(client.acknowledged.len().min(30)) + 1;
        let which = client.acknowledged.len().wrapping_sub(back);
        let Some((place, seq)) = client.own_message(which) else {
            return;
        };
        let change = match how {
            0..5 => Change::Edit(seq),
            5..7 => Change::Delete(seq),
            // Most of these are messages of other users, or changes.
            7 => Change::Edit(other),
            8 => Change::React(other, true),
            _ => Change::React(seq, other < 12),
        };
        self.clients[who].say(place, change, text);
    }

    /// The owner sends a command that only owners may send.
    fn send_owner_command(&mut self) {
        let how = self.random.below(16);
        let user = self.clients[self.random.below(self.clients.len())]
            .name
            .clone();
        let channel = format!("room{}", self.random.below(self.plan.channels));
        let channel = [channel, "general".to_owned()][self.random.below(2)].clone();
        let minutes = self.random.below(3);
        let command = match how {
            0..3 => json!({"type": "mute", "user": user, "minutes": minutes}),
            3 => json!({"type": "kick", "user": user, "minutes": minutes}),
            4 => json!({"type": "door", "open": false}),
            5..8 => json!({"type": "door", "open": true}),
            8..11 => {
                let who = [json!("owner"), json!(1), json!("all"), json!("all")];
                json!({"type": "writing", "channel": channel, "who": who[self.random.below(4)]})
            }
            11 => json!({"type": "clear", "channel": channel}),
            12 if channel != "general" => json!({"type": "remove_channel", "channel": channel}),
            _ => {
                let truth = self.disk.borrow().count(&channel) as usize;
                let seq = 1 + self.random.below(truth) as u64;
                let place = Place::Channel(channel);
                return self.clients[0].say(place, Change::Delete(seq), String::new());
            }
        };
        let owner = &mut self.clients[0];
        if owner
            .welcomed()
            .is_some_and(|connection| connection.is_owner)
        {
            owner.send(&command);
        }
    }

    /// Returns a text that is used once, so that the test notices if it is stored twice or was not
    /// removed.
    fn text(&mut self) -> String {
        self.texts += 1;
        let long = [0, 0, 0, 40, 900][self.random.below(5)];
        format!("text-{};{}", self.texts, "x".repeat(long))
    }

    fn send_direct(&mut self, who: usize) {
        let whom = self.random.below(self.clients.len());
        let name = self.clients[whom].name.clone();
        let text = self.text();
        self.clients[who].say(Place::To(name), Change::New, text);
    }

    fn send_query(&mut self, who: usize) {
        let which = self.random.below(6);
        let number = self.random.below(1_000);
        let client = &mut self.clients[who];
        if client.welcomed().is_none() {
            return;
        }
        let channel = client.channels.first().cloned().unwrap_or_default();
        match which {
            0 => client.send(&json!({"type": "typing", "channel": channel})),
            1 => client.send(&json!({"type": "who"})),
            2 => client.send_text("/channels"),
            3 => {
                let name = format!("Ada{}", number % 5);
                client.send(&json!({"type": "rename", "name": name}));
            }
            4 if !client.acknowledged.is_empty() => {
                client.send_again(number % client.acknowledged.len())
            }
            _ => client.send(&json!({"type": "history", "channel": channel, "before": number + 1})),
        }
    }

    fn join_or_leave(&mut self, who: usize) {
        let channel = format!("room{}", self.random.below(self.plan.channels));
        let client = &mut self.clients[who];
        let Some(connection) = client.welcomed() else {
            return;
        };
        let place = Place::Channel(channel.clone());
        let waits = client.pending.values().any(|it| it.place == place);
        if connection.joined.contains(&channel) && !waits {
            client.channels.remove(&channel);
            client.send(&json!({"type": "leave", "channel": channel}));
        } else {
            client.join(&channel);
        }
    }

    fn inject_fault(&mut self, who: usize) {
        let fault = [NETWORK, STALLS, DISK, CRASHES, CLOCK, VIOLATIONS][self.random.below(6)];
        if !self.plan.has(fault) {
            return;
        }
        match fault {
            NETWORK => self.break_connection(who),
            STALLS => {
                let until = self.time + self.random.below(3_000) as u64;
                if let Some(connection) = &mut self.clients[who].connection {
                    connection.stalled_until = until;
                    let mut wire = connection.wire.borrow_mut();
                    wire.room = self.random.below(300);
                    wire.write_most = 1 + self.random.below(100);
                }
            }
            DISK => {
                let fault =
                    [Fault::Fails, Fault::Fails, Fault::FailsAfterwards][self.random.below(3)];
                self.disk.borrow_mut().fault = Some((1 + self.random.below(5) as u32, fault));
            }
            CRASHES if self.random.percent(30) => {
                self.crash_point.borrow_mut().crashes_after = Some(self.random.below(12) as u32);
            }
            CLOCK => {
                let jump = self.random.below(2 * CLOCK_OFF as usize) as i64 - CLOCK_OFF;
                self.clock_off = jump.clamp(-CLOCK_OFF, CLOCK_OFF);
            }
            VIOLATIONS => self.break_a_rule(who),
            _ => {}
        }
    }

    /// Resets or half-closes a connection at any point.
    fn break_connection(&mut self, who: usize) {
        self.deliver(who, true);
        let half = self.random.percent(30);
        let Some(connection) = &self.clients[who].connection else {
            return;
        };
        let id = connection.id;
        if half {
            self.server().end(id, Ended::EndOfStream);
        } else {
            connection.wire.borrow_mut().broken = true;
            self.server().end(id, Ended::Failed);
            self.lose(who);
        }
    }

    fn break_a_rule(&mut self, who: usize) {
        let how = self.random.below(4);
        let Some(connection) = &mut self.clients[who].connection else {
            return;
        };
        let bytes = match how {
            // Without a mask: RFC 6455 §5.1.
            0 => vec![0x81, 0x02, b'h', b'i'],
            1 => [0x89, 0x80, 1, 2, 3, 4].repeat(50),
            2 => {
                let begin = [0x01, 0x80, 1, 2, 3, 4];
                [&begin[..], &[0x00, 0x80, 1, 2, 3, 4].repeat(50)].concat()
            }
            _ => return (0..60).for_each(|_| self.clients[who].send_text("{}")),
        };
        connection.outgoing.extend(bytes);
    }

    fn connect(&mut self, who: usize) {
        if self.clients[who].connection.is_some() || self.clients[who].retry_at > self.time {
            return;
        }
        let memory = MemorySocket::default();
        let (wire, crash_point) = (memory.0.clone(), self.crash_point.clone());
        let socket = SimSocket {
            memory,
            crash_point,
        };
        match self.server().accept(socket, "10.0.0.1:1") {
            Some(id) => self.clients[who].begin(id, wire, &self.disk.borrow()),
            None => self.clients[who].retry_at = self.time + 1_000,
        }
    }

    fn lose(&mut self, who: usize) {
        self.clients[who].connection = None;
        self.clients[who].retry_at = self.time + self.random.below(2_000) as u64;
    }

    /// Delivers some or all of a client's sent bytes to the server.
    fn deliver(&mut self, who: usize, all: bool) {
        let Some(connection) = &mut self.clients[who].connection else {
            return;
        };
        if connection.outgoing.is_empty() {
            return;
        }
        let most = connection.outgoing.len().min(READ_BYTES);
        let count = if all || self.random.percent(60) {
            most
        } else {
            1 + self.random.below(most)
        };
        let bytes: Vec<u8> = connection.outgoing.drain(..count).collect();
        let id = connection.id;
        self.server().send(id, &bytes);
    }

    /// Runs one turn. If the server crashes in it, another one starts on the same disk.
    fn turn(&mut self) {
        self.server().turn();
        if self.crash_point.borrow().crashes_after == Some(0) {
            self.clients_receive(true);
            for who in 0..self.clients.len() {
                if self.clients[who].connection.is_some() {
                    self.lose(who);
                }
            }
            self.server = None;
            if let Some(recover) = &mut self.recover {
                recover(&mut self.disk.borrow_mut());
            }
            self.time += 1 + self.random.below(500) as u64;
            self.note("the server died and another one is there");
            self.start();
        }
    }

    fn clients_receive(&mut self, crashes: bool) {
        for who in 0..self.clients.len() {
            let time = self.time;
            let connection = self.clients[who].connection.as_ref();
            if connection.is_none_or(|it| !crashes && it.stalled_until > time) {
                continue;
            }
            let Self {
                clients,
                disk,
                digest,
                trace,
                ..
            } = self;
            let disk = disk.borrow();
            let over = clients[who].take(&disk, &mut |line| {
                *digest = line.bytes().fold(*digest, |digest, byte| {
                    (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                if let Some(trace) = trace {
                    trace(&format!("{time} {who} {line}"));
                }
            });
            drop(disk);
            let Some(connection) = &self.clients[who].connection else {
                continue;
            };
            let id = connection.id;
            // The socket has become writable. This is an edge: it is only reported after a short
            // write.
            let was_full = {
                let mut wire = connection.wire.borrow_mut();
                let was_full = wire.room < usize::MAX >> 1 || wire.write_most < usize::MAX;
                (wire.room, wire.write_most) = (usize::MAX, usize::MAX);
                was_full
            };
            if over && !crashes {
                // The client reads to the end and closes.
                self.deliver(who, true);
                self.server().end(id, Ended::EndOfStream);
                self.lose(who);
            } else if was_full && !crashes {
                self.server().writable(id);
            }
        }
    }

    fn note(&mut self, what: &str) {
        let time = self.time;
        if let Some(trace) = &mut self.trace {
            trace(&format!("{time} {what}"));
        }
    }

    /// Checks what holds after each step.
    fn check(&mut self) {
        let (limits, now) = (self.plan.limits.clone(), self.now().mono);
        let hub = self.hub();
        let buffered = hub.metrics().buffered_bytes as usize;
        // A connection that is too large gets its close frame in one turn and is removed in the
        // next.
        let most = limits.buffered_bytes + (1 << 20);
        assert!(buffered <= most, "{buffered} bytes are held");
        if hub.connections() > 0 {
            let next = hub.next_deadline().expect("each connection has a deadline");
            let longest = limits.ping_interval.max(limits.message_timeout) + limits.pong_timeout;
            assert!(
                next.since(now) <= longest,
                "the next deadline is too late: {next:?} at {now:?}"
            );
        }
        for client in &self.clients {
            if let Some(connection) = &client.connection {
                assert!(connection.wire.borrow().sent.len() <= 64 << 20);
            }
        }
    }

    /// Ends all faults, lets all clients return, and checks that each has the whole state within a
    /// minute.
    fn converge(&mut self) {
        self.note("the faults stop");
        *self.crash_point.borrow_mut() = CrashPoint::default();
        self.disk.borrow_mut().fault = None;
        self.clients[0].reverses_decisions = true;
        for who in 0..self.clients.len() {
            if let Some(connection) = &self.clients[who].connection {
                let id = connection.id;
                connection.wire.borrow_mut().broken = true;
                self.server().end(id, Ended::Failed);
                self.lose(who);
            }
        }
        let until = self.time + CONVERGES_WITHIN;
        let mut next_look = self.time;
        loop {
            self.time += 50;
            for who in 0..self.clients.len() {
                self.connect(who);
                self.deliver(who, true);
            }
            self.turn();
            // As the driver does: remaining work starts the next turn immediately.
            while self.server().has_work() {
                self.turn();
            }
            self.clients_receive(false);
            if self.time >= next_look {
                next_look = self.time + 1_000;
                let missing = self.missing();
                if missing.is_none() && !self.server().has_work() {
                    break;
                }
                let what = missing.unwrap_or_else(|| "there is work left".to_owned());
                assert!(self.time < until, "after a minute without faults, {what}");
                self.follow_up();
            }
        }
        self.check();
        for _ in 0..3 {
            self.turn();
        }
        assert!(!self.server().has_work(), "the loop must be idle");
        self.time += 2_000;
        let now = self.now();
        self.disk.borrow_mut().check_removed_texts(now);
    }

    /// What a client does after a refusal, or without an answer.
    fn follow_up(&mut self) {
        let log = &self.disk.borrow().log;
        if self.clients[0].welcomed().is_some() {
            self.clients[0].own();
            // Other clients wait for an answer in a channel in which only the owner can write.
            let pending = self.clients.iter().flat_map(|it| it.pending.values());
            let places = pending.filter_map(|it| match &it.place {
                Place::Channel(channel) => Some(channel.clone()),
                Place::Conversation(_) | Place::To(_) => None,
            });
            let channels: BTreeSet<String> = places.collect();
            for channel in channels {
                let command = json!({"type": "writing", "channel": channel, "who": "all"});
                self.clients[0].send(&command);
            }
        }
        for client in &mut self.clients {
            if client.connection.is_none() {
                continue;
            }
            let Some(connection) = client.welcomed() else {
                client.hello();
                continue;
            };
            let joined = connection.joined.clone();
            // A client that left a channel with a pending message joins again.
            let unsent = client.pending.values().filter_map(|it| match &it.place {
                Place::Channel(channel) => Some(channel.clone()),
                Place::Conversation(_) | Place::To(_) => None,
            });
            client.channels.extend(unsent);
            for channel in client.channels.clone().difference(&joined) {
                client.join(channel);
            }
            for (place, messages) in log {
                let is_channel = client.channels.contains(place);
                let is_mine = is_channel || is_of(place, client.author);
                if is_mine && client.newest(place) < messages.len() as u64 {
                    let field = if is_channel {
                        "channel"
                    } else {
                        "conversation"
                    };
                    client.ask_history(field, place);
                }
            }
            client.send_pending();
        }
    }

    /// Describes what a client does not have yet.
    fn missing(&self) -> Option<String> {
        let log = &self.disk.borrow().log;
        let names = self.clients.iter().map(|client| client.name.clone());
        let present: BTreeSet<String> = names.collect();
        for client in &self.clients {
            let (who, name, refusals) = (client.number, &client.name, client.refusals);
            let Some(connection) = client.welcomed() else {
                return Some(format!(
                    "{who} is not online as {name:?}, after {refusals} refusals"
                ));
            };
            if let Some((nonce, pending)) = client.pending.first_key_value() {
                return Some(format!(
                    "client {who} waits for an answer to {nonce}: {pending:?}"
                ));
            }
            if !client.channels.is_subset(&connection.joined) {
                return Some(format!("client {who} is not where it wants to be"));
            }
            for (place, messages) in log {
                let (newest, length) = (client.newest(place), messages.len() as u64);
                let is_mine = client.channels.contains(place) || is_of(place, client.author);
                if is_mine && newest < length {
                    return Some(format!("client {who} has {newest} of {length} of {place}"));
                }
                // A client that was offline has every change, too.
                for (seq, seen) in client.seen.get(place).into_iter().flatten() {
                    let stored = messages[*seq as usize - 1].present();
                    if is_mine && seen.as_deref() != stored {
                        return Some(format!(
                            "client {who} has {seen:?} as {place}/{seq}, but {stored:?} is stored"
                        ));
                    }
                }
            }
            let online = &client.online;
            if self.clients.len() <= 400 && *online != present {
                return Some(format!(
                    "client {who} lists {online:?}, but {present:?} are online"
                ));
            }
            if client.count != self.clients.len() as u64 {
                return Some(format!("client {who} counts {} users", client.count));
            }
        }
        None
    }
}
