// The state of the page: the user, the users online, the rooms, and which room is open. Pure.
//
// `apply(state, event, command)` applies one event of the server, with the command that it answers,
// and returns the commands that follow from it.

import * as protocol from '../connection/protocol.js';
import { mentions } from '../texts/markup.js';
import * as rooms from './room.js';

/** The channel that everyone is in. It always exists. */
export const HOME = 'general';
const MAX_MISSED = 1000; // after missing more, the newest page is loaded and the rest on demand
const MAX_LISTED = 500; // names in an event's list
const KEPT_MESSAGES = 300; // in a room that isn't open
const TYPING_MS = 5000; // a user is shown as typing this long

export function create() {
  return {
    me: null,
    epoch: null,
    limits: { text: 4000, message_bytes: 65_536 },
    channels: new Map(), // name → number of members, of all channels that the server lists
    users: new Set(),
    online: 0,
    staleUsers: false,
    rooms: new Map(),
    open: null,
    wanted: new Set([HOME]), // channels to join after each reconnect
    marks: new Map(), // read markers that the browser keeps for all tabs: markKey → seq
    line: null, // where the line "New" was before a reload: { key, after }
    nextKey: 1,
    activity: 0,
    door: true, // whether new users may enter
    owner: null, // for an owner: { muted, kicked }, both user → until
    newChannels: new Set(), // created by others, and not looked at yet
    muted: new Set(), // keys of channels whose messages want no attention
    missed: [], // [room, message] of others that were missed without a connection, for the bell
    // [from, to]: keys of rooms that were merged into others, for modules that keep keys
    merged: [],
  };
}

export const openRoom = (state) => state.rooms.get(state.open) ?? null;
export const isMine = (state, message) => message.author === state.me?.author;
/** Whether a user of this name is online. */
export const isUser = (state, name) => state.users.has(name.normalize('NFKC'));
/** Whether there is a channel of this name, as far as this page knows. */
export const isChannel = (state, name) =>
  state.channels.has(name.toLowerCase()) || state.wanted.has(name.toLowerCase());
/** Whether a text mentions the user of this page, and not another one with a longer name. */
export const mentionsMe = (state, text) =>
  mentions(text, state.me?.name, (name) => isUser(state, name));

/** All private conversations, also those without a message yet; the latest first. */
export function people(state) {
  return [...state.rooms.values()].filter((room) => room.kind === 'person').sort((a, b) =>
    b.activity - a.activity
  );
}

/** The room of a channel; made if there is none. */
export const channelRoom = (state, name) =>
  state.rooms.get(`#${name}`) ?? add(state, rooms.channel(name));

/**
 * The room for writing to a name; made if there is none. Of two conversations under one name, the
 * one that is online.
 */
export function personRoom(state, name) {
  const same = people(state).filter((room) => room.name.toLowerCase() === name.toLowerCase());
  const best = [true, null, false].map((online) => same.find((room) => room.online === online))
    .find(Boolean);
  // A user who takes the name of a user known to be offline is a different person.
  if (best && !(best.online === false && best.conversation !== null && state.users.has(name)))
    return best;
  return newConversation(state, name);
}

/** A conversation without a message yet. */
export function newConversation(state, name) {
  const known = people(state).find((room) => room.conversation === null && room.name === name);
  return known ?? addPerson(state, name);
}

export const conversationRoom = (state, conversation) => (
  people(state).find((room) => room.conversation === conversation) ?? null
);

/**
 * The room of a conversation that the browser remembers; made if the server hasn't listed it yet.
 */
export const rememberedConversation = (state, conversation, name) => (
  conversationRoom(state, conversation) ?? addPerson(state, name, conversation)
);

/** The room that an event or a command names, if there is one. */
export function roomOf(state, { channel, conversation }) {
  if (channel !== undefined) return state.rooms.get(`#${channel}`) ?? null;
  return conversation === undefined ? null : conversationRoom(state, conversation);
}

/** Under which key a room's read marker is kept over a reload; null if it can't be. */
export const markKey = (room) => (
  room.kind === 'channel' ? room.key : room.conversation && `=${room.conversation}`
);

/** Whether the partner of a conversation is online, as far as this page knows. */
export const isOnline = (state, room) => room.online !== false && state.users.has(room.name);

/**
 * The unread messages that want attention: of a muted channel only that someone mentioned the user.
 */
export const news = (state,
  room) => (state.muted.has(room.key) ? Number(rooms.isMentioned(room)) : rooms.unread(room));

/** Opens a room. Returns the commands that load what is missing. */
export function open(state, room) {
  const before = openRoom(state);
  if (before && before !== room) {
    before.newAfter = before.past = before.target = null;
    rooms.trim(before, KEPT_MESSAGES);
    if (before.kind === 'person' && before.conversation === null && !before.pinned)
      state.rooms.delete(before.key);
  }
  state.open = room.key;
  if (rooms.unread(room) > 0 && room.read > 0) room.newAfter = room.read;
  if (room.filling) return [];
  if (room.kind === 'channel') return room.joined ? [] : [join(room)];
  return room.conversation === null || room.loaded ? [] : [load(room)];
}

/** Loads what is before the oldest message of a room. */
export function older(room) {
  if (!room.older || room.fetchingOlder || !room.loaded) return [];
  room.fetchingOlder = true;
  return [
    protocol.history(protocol.target(room), { before: room.messages[0]?.seq ?? room.newest + 1 }),
  ];
}

/** Applies one event; `command` is the one that it answers, or null. Returns commands to send. */
export function apply(state, event, command = null, now = 0) {
  prepare(state, event);
  return (EVENTS[event.type] ?? onChange)(state, event, command, now) ?? [];
}

/** Marks the reactions of the reader in an event or a page of history. */
export function prepare(state, event) {
  for (const one of protocol.messagesOf(event))
    if (one.type === 'reacted') one.mine = isMine(state, one);
}

const EVENTS = {
  welcome: onWelcome,
  joined: onJoined,
  left(state, { channel }) {
    state.wanted.delete(channel);
    state.rooms.delete(`#${channel}`);
    return state.open === `#${channel}` ? open(state, channelRoom(state, HOME)) : null;
  },
  message: onMessage,
  direct: onMessage,
  history: onHistory,
  cleared(state, { channel, first }) {
    const room = state.rooms.get(`#${channel}`);
    if (room) rooms.clear(room, first);
  },
  channel_changed(state, { channel, writing, pinned }) {
    Object.assign(state.rooms.get(`#${channel}`) ?? {}, { writing, pin: pinned ?? null });
  },
  door(state, { open: isOpen }) {
    state.door = isOpen;
  },
  owned(state, { on, muted, kicked }) {
    const list = (entries = []) => new Map(entries.map(({ user, until }) => [user, until]));
    state.owner = on ? { muted: list(muted), kicked: list(kicked) } : null;
  },
  muted: (state, event) => restrict(state.owner?.muted, event),
  kicked: (state, event) => restrict(state.owner?.kicked, event),
  ack(state, event, command) {
    // The first message to a person tells which conversation that is.
    if (!event.conversation || !command?.to) return;
    bind(state, newConversation(state, command.to), event.conversation, event.to);
  },
  typing(state, event, command, now) {
    roomOf(state, event)?.typing.set(event.user, now + TYPING_MS);
  },
  presence(state, { joined, left, online }) {
    for (const name of left) state.users.delete(name);
    for (const name of joined) state.users.add(name);
    for (const room of people(state)) {
      if (left.includes(room.name)) room.online = false;
      // The event doesn't say whether the user with this name is the same person as before.
      if (joined.includes(room.name) && room.online === false) room.online = null;
    }
    setOnline(state, online, joined.length + left.length === 0);
  },
  users(state, { channel, users, count }) {
    if (channel) {
      const room = state.rooms.get(`#${channel}`);
      if (room) Object.assign(room, { members: new Set(users), count });
    } else {
      Object.assign(state, { users: new Set(users), staleUsers: false, online: count });
    }
  },
  members(state, event, command, now) {
    state.channels.set(event.channel, event.count);
    const room = state.rooms.get(`#${event.channel}`);
    if (!room) return null;
    const me = state.me?.name;
    const others = (names) => names.filter((name) => name !== me);
    rooms.changeMembers(room, others(event.joined), others(event.left), now);
    room.count = event.count;
    if (room.joined && me !== undefined) room.members.add(me);
    return event.count <= MAX_LISTED && room.members.size !== event.count
      ? [protocol.who(event.channel)]
      : null;
  },
  channels(state, { channels }) {
    state.channels = counts(channels);
  },
  channels_changed(state, { created, gone }) {
    for (const name of gone)
      for (const list of [state.channels, state.newChannels]) list.delete(name);
    for (const name of created.filter((one) => !state.channels.has(one))) {
      state.channels.set(name, 0);
      state.newChannels.add(name);
    }
    return created.length + gone.length === 0 ? [protocol.channels()] : null;
  },
  renamed(state, { from, to }, command, now) {
    if (state.me?.name === from) state.me.name = to;
    if (state.users.delete(from)) state.users.add(to);
    for (const room of state.rooms.values()) {
      room.typing.delete(from);
      const partner = room.kind === 'person' && room.name === from
        && (room.online !== false || room.conversation === null);
      if (partner) room.name = to;
      const member = room.members.delete(from);
      if (member) room.members.add(to);
      if (member || partner) rooms.noteRename(room, from, to, now);
    }
  },
  /** A command failed: the same request can be sent again. */
  error(state, event, command) {
    const room = command && roomOf(state, command);
    if (command?.type === 'join') state.wanted.delete(command.channel);
    if (room) room.filling = room.fetchingOlder = false;
  },
};

/** Notes until when a user is muted or kicked. */
function restrict(list, { user, until }) {
  if (until > 0) list?.set(user, until);
  else list?.delete(user);
}

function onWelcome(state, event) {
  const isReturning = state.me !== null;
  const newSession = isReturning && state.me.author !== event.author;
  const newHistory = state.epoch !== null && state.epoch !== event.epoch;
  if (newHistory) state.marks.clear();
  const listed = new Set(event.directs.map(({ conversation }) => conversation));
  for (const room of state.rooms.values()) {
    room.filling = room.fetchingOlder = false;
    if (room.kind === 'channel') room.joined = false;
    if (newHistory || (newSession && room.kind === 'person')) {
      rooms.reset(room);
      if (room.kind === 'person' && !listed.has(room.conversation)) room.conversation = null;
    }
  }
  Object.assign(state, {
    me: { name: event.name, author: event.author, session: event.session },
    epoch: event.epoch,
    limits: { ...state.limits, ...event.limits },
    channels: counts(event.channels),
    users: new Set(event.users),
    door: event.door !== false,
    owner: null,
  });
  for (const { conversation, with: name, seq, online } of [...event.directs].reverse()) {
    // A conversation with an online user is this one. If the user is offline, it may be another
    // person.
    const room = conversationRoom(state, conversation)
      ?? (online
        ? bind(state, newConversation(state, name), conversation, name)
        : addPerson(state, name, conversation));
    // Messages of a conversation that wasn't loaded must be loaded, to know their authors.
    const isMissed = isReturning && !newSession && !newHistory && !room.loaded && seq > room.known;
    room.missedAfter = isMissed ? room.known : null;
    Object.assign(room, {
      name,
      online,
      known: Math.max(room.known, seq),
      activity: ++state.activity,
    });
    restoreMarks(state, room, seq);
  }
  setOnline(state, event.online, false);
  const commands = event.channels.length >= MAX_LISTED ? [protocol.channels()] : [];
  const first = openRoom(state)?.kind === 'channel' ? [openRoom(state).name] : [];
  for (const name of new Set([...first, ...state.wanted])) {
    commands.push(
      join(channelRoom(state, name), event.channels.find((one) => one.name === name)?.seq),
    );
  }
  for (const room of people(state)) {
    if (room.conversation === null) continue;
    if (room.loaded && room.known > room.newest) commands.push(loadAfter(room));
    else if (!room.loaded && (room.key === state.open || room.missedAfter !== null))
      commands.push(load(room));
  }
  return commands;
}

function onJoined(state, event, command) {
  if (command && command.channel !== event.channel) {
    // The server has another spelling of the name.
    state.wanted.delete(command.channel);
    const asked = state.rooms.get(`#${command.channel}`);
    if (asked) merge(state, asked, channelRoom(state, event.channel));
  }
  state.wanted.add(event.channel);
  state.newChannels.delete(event.channel);
  state.channels.set(event.channel, event.count);
  const room = channelRoom(state, event.channel);
  if (room.begun) noteMissed(state, room, event.history, room.newest);
  else if (state.marks.has(room.key)) restoreMarks(state, room, event.seq);
  else room.read = event.seq; // on a first visit nothing is new
  const { members, count, first, writing = 'all', pinned = null } = event;
  Object.assign(room, {
    joined: true,
    begun: true,
    members: new Set(members),
    count,
    first,
    writing,
    pin: pinned,
  });
  noteMentions(state, room, event.history);
  room.known = Math.max(room.known, event.seq);
  if (command?.since !== undefined && room.loaded) return append(room, event, event.seq);
  return replace(room, event, event.seq);
}

/** A live message. */
function onMessage(state, event) {
  const room = event.channel === undefined
    ? partner(state, event)
    : channelRoom(state, event.channel);
  room.typing.delete(event.from);
  room.activity = ++state.activity;
  const allRead = room.read >= room.known;
  noteMentions(state, room, [event]);
  rooms.noteSpeaker(room, event);
  const gap = rooms.receive(room, event);
  // The user's own message, perhaps from another tab, is read if everything before it was.
  if (isMine(state, event) && allRead) rooms.markRead(room);
  return gap ? [loadAfter(room)] : null;
}

/** The answer to `history`: before, after, or the newest page. */
function onHistory(state, event, command) {
  const room = roomOf(state, event);
  if (!room || !command) return null;
  room.first = Math.max(room.first, event.first);
  if (command.before !== undefined) return rooms.prepend(room, event.messages, event.more);
  if (command.after !== undefined) {
    noteMissed(state, room, event.messages, room.newest);
    noteMentions(state, room, event.messages);
    return append(room, event);
  }
  if (room.missedAfter !== null) noteMissed(state, room, event.messages, room.missedAfter);
  room.missedAfter = null;
  return replace(room, event, event.first - 1);
}

/** Adds a page of what came after the newest message, and asks for the next one if there is one. */
function append(room, { history, messages = history, more, first }, upTo) {
  return rooms.append(room, messages, more, first, upTo) ? [loadAfter(room)] : null;
}

/** Shows the newest page only, and asks for what arrived live beyond it. */
function replace(room, { history, messages = history, more }, upTo) {
  rooms.replace(room, messages, upTo, more);
  return room.ahead.size > 0 ? [loadAfter(room)] : null;
}

/**
 * An event about an earlier message, or a type of a later version: its number counts, if it has
 * one.
 */
function onChange(state, event) {
  const room = Number.isInteger(event.seq) ? roomOf(state, event) : null;
  return room && rooms.receive(room, event) ? [loadAfter(room)] : null;
}

/** Restores the read marker that the browser kept, and the line "New" as it was before a reload. */
function restoreMarks(state, room, newest) {
  const key = markKey(room);
  const mark = state.marks.get(key) ?? 0;
  room.read = Math.max(room.read, mark);
  if (state.line?.key === key) {
    room.newAfter ??= state.line.after;
    state.line = null;
  } else if (mark > 0 && mark < newest && room.key === state.open) room.newAfter ??= mark;
}

/** Applies the read markers of another tab. */
export function readElsewhere(state, marks) {
  state.marks = marks;
  for (const room of state.rooms.values()) {
    const mark = marks.get(markKey(room)) ?? 0;
    if (mark <= room.read) continue;
    room.read = mark;
    if (room.newAfter !== null) room.newAfter = Math.max(room.newAfter, mark);
  }
}

/** Remembers the newest message that mentions the reader. */
function noteMentions(state, room, messages) {
  for (const message of messages) {
    const isNew = message.type === 'message' && !isMine(state, message)
      && message.seq > room.mentioned;
    if (isNew && mentionsMe(state, message.text)) room.mentioned = message.seq;
  }
}

/**
 * Keeps the messages of other users after `seq` for notifications, except those that also arrived
 * live.
 */
function noteMissed(state, room, messages, seq) {
  const missed = messages.filter((message) =>
    message.seq > seq && !room.ahead.has(message.seq)
    && protocol.carriesText(message) && !isMine(state, message)
  );
  for (const message of missed) state.missed.push([room, message]);
}

/** The conversation of a live direct, perhaps a new one. */
function partner(state, event) {
  const mine = isMine(state, event);
  const name = mine ? event.to : event.from;
  const room = conversationRoom(state, event.conversation)
    ?? bind(state, newConversation(state, name), event.conversation, name);
  if (!mine || event.from === event.to) Object.assign(room, { online: true, name: event.from });
  return room;
}

/**
 * Gives a new conversation its identifier. If a room with that identifier exists, the new one is
 * merged into it.
 */
function bind(state, room, conversation, name) {
  const known = conversationRoom(state, conversation);
  if (known && room.conversation === null) merge(state, room, known);
  return Object.assign(known ?? room, { conversation, name, online: true });
}

function merge(state, room, into) {
  state.rooms.delete(room.key);
  if (state.open === room.key) state.open = into.key;
  state.merged.push([room.key, into.key]);
}

/**
 * Sets the number of users online. The list of names is stale if it is shorter, or if it may have
 * changed.
 */
function setOnline(state, online, namesOmitted) {
  state.online = online;
  const complete = online <= MAX_LISTED
    ? state.users.size === online
    : state.users.size >= MAX_LISTED;
  state.staleUsers = namesOmitted || !complete;
}

function join(room, newest = room.known) {
  room.filling = true;
  room.loaded &&= newest - room.newest <= MAX_MISSED;
  return protocol.join(room.name, room.loaded ? room.newest : undefined);
}

function load(room, page = {}) {
  room.filling = true;
  return protocol.history(protocol.target(room), page);
}

const loadAfter = (room) => load(room, { after: room.newest, limit: protocol.PAGE });

const counts = (channels) => new Map(channels.map(({ name, members }) => [name, members]));
const addPerson = (state, name, conversation) =>
  add(state, rooms.person(`@${state.nextKey++}`, name, conversation));

function add(state, room) {
  state.rooms.set(room.key, room);
  return room;
}
