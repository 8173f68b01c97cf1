//! The chat: requests go in, effects come out. It knows neither frames nor sockets, only the
//! addresses of connections.
//!
//! A turn is any number of [`Chat::apply`] and one [`Chat::commit`]. `apply` checks a message and
//! keeps it as a proposal; `commit` has all proposals stored and numbered, and only then publishes
//! them. Nothing else waits for the commit, so nothing has to be undone if it fails. An owner's
//! decision is rare, so it is stored at once.
//!
//! Invariants:
//! * A message has no number before it is stored. A proposal outlives its turn only while another
//!   program has locked the history ([`Chat::is_waiting`]).
//! * An effect names only addresses of connections that exist.
//!
//! Reading order: `command.rs` and `event.rs` (what goes in and out), this file, `users.rs`,
//! `membership.rs`, `messages.rs`, `queries.rs`, `search.rs`, `owner.rs`; `codec` for JSON and
//! typed lines.

mod changes;
mod channels;
pub mod codec;
pub mod command;
pub mod error;
pub mod event;
mod keys;
mod membership;
mod messages;
pub mod name;
mod owner;
mod queries;
mod search;
mod search_scan;
mod sessions;
pub(crate) mod text;
mod timers;
mod users;

use crate::history::{Author, History, Kind, Proposal, Sanction, SessionRow, StoreError};
use crate::limits::{Limits, NAMES_HELD_OVER};
use crate::time::{Millis, Now};
pub use keys::Keys;

use changes::Changes;
use channels::Channels;
use codec::HELP;
use command::{Command, Hello, Request, RequestId};
use error::CommandError;
use event::{Address, ChannelId, Effect, Event, Farewell, Peer, Sender, Topic};
use keys::Tries;
use sessions::Sessions;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use timers::{List, Timer, Timers};

/// The state of the chat.
pub struct Chat {
    limits: Limits,
    /// The time of the current call.
    now: Now,
    history: Box<dyn History>,
    /// Makes 128 unguessable bits for a session's token.
    tokens: Box<dyn FnMut() -> [u8; 16]>,
    /// By address. A `BTreeMap` takes more memory for a silent member. Never iterated.
    clients: HashMap<Address, Client>,
    /// The owner's key and the password that the server was started with.
    keys: Keys,
    wrong_keys: Tries,
    wrong_passwords: Tries,
    /// Whether new sessions are let in.
    door_is_open: bool,
    /// Sessions that owners have muted or kicked; some entries may have expired.
    sanctions: BTreeMap<Author, Sanction>,
    /// Connections that sent the owner's key.
    owners: BTreeSet<Address>,
    /// A trusted proxy names all users.
    has_proxy_users: bool,
    /// The user whom the proxy names, of each connection.
    proxy_users: BTreeMap<Address, Box<str>>,
    sessions: Sessions,
    channels: Channels,
    /// Channels that are no longer listed, the one put away longest ago first.
    put_away: VecDeque<Rc<str>>,
    /// Names of users, and of channels, that everyone has yet to be informed of.
    user_changes: Changes,
    channel_changes: Changes,
    /// Lists whose changes are sent at the end of this turn.
    due_lists: Vec<List>,
    /// This turn's messages, and for each of them who sent it.
    proposals: Vec<Rc<Proposal>>,
    senders: Vec<Sender>,
    /// Since when another program has locked the history, and whether the proposals wait for it.
    locked_since: Option<Millis>,
    is_waiting: bool,
    /// Rows of sessions that the next commit writes.
    rows: BTreeMap<Author, SessionRow>,
    timers: Timers,
    /// The searches that are underway, in the order in which they are continued.
    searches: VecDeque<search_scan::Search>,
    /// The last error of the history, for the log.
    last_error: Option<StoreError>,
}

/// The cost and the result of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of commands that it counts as for the rate.
    pub cost: u32,
    /// Whether a message waits for the commit.
    pub proposed: bool,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// By `/quit`, or a close with 1000.
    Quit,
    /// In any other way.
    Lost,
}

/// A connection, as the chat knows it.
#[derive(Default)]
struct Client {
    /// The session, after `hello`.
    author: Option<Author>,
    /// The channels that it is in; the one joined last is at the end.
    channels: SmallVec<[ChannelId; 4]>,
}

/// The result of applying a command; an error is answered.
type Applied = Result<(), CommandError>;

/// A request that is being applied.
struct Context<'a> {
    address: Address,
    author: Option<Author>,
    is_owner: bool,
    peer: Peer,
    id: Option<RequestId>,
    /// Bytes of history that the answer may have.
    page_bytes: usize,
    outcome: &'a mut Outcome,
    effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    fn author(&self) -> Result<Author, CommandError> {
        self.author.ok_or(CommandError::HELLO_FIRST)
    }

    fn sender(&self, channel: Option<ChannelId>) -> Sender {
        Sender {
            address: self.address,
            id: self.id,
            channel,
        }
    }

    fn answer(&mut self, event: Event) {
        self.effects.push(Effect::Answer {
            to: self.address,
            event,
            id: self.id,
        });
    }

    /// Answers a command, and publishes the same event to the other subscribers of a topic.
    fn answer_and_publish(&mut self, event: Event, topic: Topic) {
        self.answer(event.clone());
        self.effects.push(Effect::Publish {
            topic,
            event,
            except: vec![self.address],
        });
    }
}

impl Chat {
    /// Makes a chat without users, with what the history has stored. `tokens` returns 128
    /// unguessable bits, different ones in each call.
    pub fn new(
        limits: &Limits,
        keys: Keys,
        mut history: Box<dyn History>,
        tokens: Box<dyn FnMut() -> [u8; 16]>,
        now: Now,
    ) -> Self {
        let remembered = history.remembered(limits.channels, NAMES_HELD_OVER, now);
        let sanctions = remembered.sanctions.into_iter();
        let sanctions = sanctions.map(|it| (it.author, it)).collect();
        let mut chat = Self {
            limits: limits.clone(),
            now,
            history,
            tokens,
            clients: HashMap::new(),
            keys,
            wrong_keys: Tries::default(),
            wrong_passwords: Tries::default(),
            door_is_open: !remembered.door_is_closed,
            sanctions,
            owners: BTreeSet::new(),
            has_proxy_users: false,
            proxy_users: BTreeMap::new(),
            sessions: Sessions::default(),
            channels: Channels::new(&remembered.channels, limits.channels),
            put_away: VecDeque::new(),
            user_changes: Changes::default(),
            channel_changes: Changes::default(),
            due_lists: Vec::new(),
            proposals: Vec::new(),
            senders: Vec::new(),
            rows: BTreeMap::new(),
            locked_since: None,
            is_waiting: false,
            timers: Timers::default(),
            searches: VecDeque::new(),
            last_error: None,
        };
        chat.hold_names(&remembered.sessions);
        chat.schedule_maintenance();
        chat
    }

    /// Adds a connection. Its `hello` must come within `--hello-timeout`, and can't choose another
    /// name than that of `proxy_user`, the user whom a trusted proxy names.
    pub fn connected(&mut self, address: Address, proxy_user: Option<Box<str>>, now: Now) {
        self.now = now;
        let timeout = self.limits.hello_timeout;
        self.clients.insert(address, Client::default());
        if let Some(user) = proxy_user {
            self.proxy_users.insert(address, user);
        }
        if !timeout.is_zero() {
            self.set_timer(timeout, Timer::Hello(address));
        }
    }

    /// Takes the names of all users from a trusted proxy, by [`Chat::connected`].
    pub fn take_names_from_proxy(&mut self) {
        self.has_proxy_users = true;
    }

    /// Applies one request of a connection from `peer`, and appends the effects. `page_bytes` is
    /// how many bytes of history it may still get in this turn; a page has at least one message.
    pub fn apply(
        &mut self,
        address: Address,
        request: Request,
        peer: Peer,
        page_bytes: usize,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        self.now = now;
        let mut outcome = Outcome {
            cost: 1,
            ..Outcome::default()
        };
        let Some(known) = self.clients.get(&address) else {
            return outcome;
        };
        let mut context = Context {
            address,
            author: known.author,
            is_owner: self.owners.contains(&address),
            peer,
            id: request.id,
            page_bytes,
            outcome: &mut outcome,
            effects,
        };
        let applied = match context.author {
            None if request.needs_user => Err(CommandError::HELLO_FIRST),
            _ => request
                .command
                .and_then(|command| self.apply_command(&mut context, command)),
        };
        if let Err(error) = applied {
            context.answer(Event::Error(error));
        }
        outcome
    }

    fn apply_command(&mut self, context: &mut Context<'_>, command: Command) -> Applied {
        if command.is_owners() && !context.is_owner {
            return Err(CommandError::NOT_OWNER);
        }
        match command {
            Command::Help => context.answer(Event::Help { text: HELP }),
            Command::Quit => context.effects.push(Effect::Close {
                who: context.address,
                why: Farewell::Quit,
            }),
            Command::Trace { .. } | Command::Try(_) => return Err(CommandError::UNKNOWN_TYPE),
            Command::Hello(_) if context.author.is_some() => {
                return Err(CommandError::ALREADY_WELCOMED);
            }
            Command::Hello(hello) => self.hello(context, &hello)?,
            Command::Nick { name } if context.author.is_none() => {
                // A name has no space, so the rest is the password, if there is one.
                let words = name
                    .split_once(' ')
                    .filter(|_| self.keys.password.is_some());
                let hello = Hello {
                    name: words.map_or(&*name, |(name, _)| name).into(),
                    password: words.map(|(_, password)| password.into()),
                    ..Hello::default()
                };
                self.hello(context, &hello)?
            }
            Command::Rename { name } | Command::Nick { name } => self.rename(context, &name)?,
            Command::Join { channel, since } => self.join(context, &channel, since)?,
            Command::Leave { channel } => self.leave(context, channel.as_deref())?,
            Command::Send(draft) => self.send(context, Kind::Message, draft)?,
            Command::Change(kind, draft) => self.send(context, kind, draft)?,
            Command::Typing { target } => self.typing(context, &target)?,
            Command::History(query) => self.answer_history(context, &query)?,
            Command::Search(query) => self.search(context, &query)?,
            Command::Who { channel } => self.answer_who(context, channel.as_deref())?,
            Command::Own { key } => self.own(context, key.as_deref())?,
            Command::Sanction {
                kick,
                user,
                minutes,
            } => self.sanction(context, kick, &user, minutes)?,
            Command::Door { open } => self.set_door(context, open)?,
            Command::Writing { channel, who } => {
                let id = self.owners_channel(context, channel.as_deref())?;
                self.change_settings(context, id, |settings| settings.writing = who)?
            }
            Command::Pin { channel, seq } => self.pin(context, channel.as_deref(), seq)?,
            Command::Clear { channel } => self.clear(context, channel.as_deref())?,
            Command::RemoveChannel { channel } => self.remove_channel(context, &channel)?,
            Command::Channels => {
                let channels = self.channels.summaries().collect();
                context.answer(Event::Channels { channels });
            }
        }
        Ok(())
    }

    /// Ends the turn: informs clients of changes that are due, stores and numbers the proposals,
    /// publishes them, and then acknowledges them. See [`Chat::is_waiting`].
    pub fn commit(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.now = now;
        // At the end of the turn, so that a change of this turn is never missing in a list that
        // reaches a client after it: topics have no order within a turn.
        for list in std::mem::take(&mut self.due_lists) {
            effects.extend(self.announce(list));
        }
        self.store(effects);
        self.continue_searches(effects);
    }

    /// Returns whether the last commit has to be repeated, since another program has locked the
    /// history. Until then no request may be applied.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Removes a connection. If it was its user's last one, the resume window begins, or the user
    /// goes offline.
    pub fn disconnected(&mut self, address: Address, departure: Departure, now: Now) {
        self.now = now;
        let Some(gone) = self.clients.remove(&address) else {
            return;
        };
        self.clients.shrink_to(2 * self.clients.len());
        self.timers.clear(&Timer::Hello(address));
        self.owners.remove(&address);
        self.proxy_users.remove(&address);
        if let Some(author) = gone.author {
            self.client_left(address, author, &gone.channels, departure);
        }
    }

    /// Handles the deadlines that have passed.
    pub fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.now = now;
        while let Some(timer) = self.timers.pop(now.mono) {
            match timer {
                Timer::Hello(who) => {
                    let why = Farewell::NoHello;
                    effects.push(Effect::Close { who, why });
                }
                Timer::Offline(author) => self.go_offline(author, Departure::Lost),
                Timer::Dropped(author, channel) => self.forget_drop(author, channel),
                Timer::Departed(author) => {
                    self.sessions.departed.remove(&author);
                }
                Timer::Announce(list) => self.due_lists.push(list),
                Timer::Typing(..) => {}
                Timer::HeldNames => self.sessions.release_held(),
                Timer::StaleRows => self.update_stale_rows(),
                Timer::Maintenance => {
                    if let Err(error) = self.history.maintain(self.now) {
                        self.failed(error);
                    }
                    self.schedule_maintenance();
                }
            }
        }
    }

    /// Returns when [`Chat::tick`] has to be called next.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.next_deadline()
    }

    /// Returns how long the history's last commit took, once.
    pub fn take_commit_time(&mut self) -> Option<Duration> {
        self.history.take_commit_time()
    }

    /// Returns the last error of the history, once, for the log.
    pub fn take_last_error(&mut self) -> Option<StoreError> {
        self.last_error.take()
    }

    /// Returns the number of users online.
    pub fn online(&self) -> usize {
        self.sessions.users.len()
    }

    /// Returns the number of channels that are listed.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Returns the number of sessions in memory: users online, and sessions that ended by `/quit`
    /// and can still be resumed.
    pub fn users_kept(&self) -> usize {
        self.sessions.users.len() + self.sessions.departed.len()
    }

    fn client(&mut self, address: Address) -> Result<&mut Client, CommandError> {
        let client = self.clients.get_mut(&address);
        client.ok_or(CommandError::HELLO_FIRST)
    }

    fn set_timer(&mut self, wait: Duration, timer: Timer) {
        self.timers.set(timer, self.now.mono.after(wait));
    }

    /// Sets the timer for the history's next maintenance, if it needs any.
    fn schedule_maintenance(&mut self) {
        let Some(wait) = self.history.next_maintenance() else {
            return;
        };
        let at = self.now.mono.after(wait);
        let earlier = self.timers.deadline(&Timer::Maintenance);
        if earlier.is_none_or(|earlier| at < earlier) {
            self.timers.set(Timer::Maintenance, at);
        }
    }

    /// Keeps an error of the history for the log, and returns the one for the client.
    fn failed(&mut self, error: StoreError) -> CommandError {
        self.last_error = Some(error);
        CommandError::STORAGE_FAILED
    }
}
