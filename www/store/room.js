// One room: a channel or a private conversation, and its messages. Pure: functions change only the
// room that they receive.
//
// One array holds every event with a `seq` in that order, also those about earlier messages, so
// that a jump in the numbers is always a real gap. It is complete up to `newest`; later messages
// wait in `ahead` until history fills the hole. Events about a message are applied to it in this
// order, and keep no text.
//
// A part of the history that doesn't reach the newest messages is a room of its own, `past`, until
// it does.

import { carriesText } from '../connection/protocol.js';

const MAX_NOTES = 200;
let notes = 0; // made so far, for their ids

/** Makes a channel; its key is its address. */
export const channel = (name) => ({
  key: `#${name}`,
  kind: 'channel',
  name,
  joined: false,
  ...empty(),
});

/**
 * Makes a private conversation. `conversation` is the server's identifier, null until something was
 * sent; the key is this page's own. `online`: true, false, or null if a user with this name joined
 * who may be another person. `pinned`: something is to be sent there, so it stays in the list
 * before the first message.
 */
export const person = (key, name, conversation = null) => (
  { key, kind: 'person', name, conversation, online: null, activity: 0, pinned: false, ...empty() }
);

const empty = () => ({
  messages: [],
  loaded: false,
  older: false, // whether there are messages before the first one
  first: 1, // the first that the server keeps
  newest: 0, // complete up to this one
  known: 0, // the highest number seen
  ahead: new Map(),
  past: null, // a part of the history that is shown instead
  target: null, // the message to show: { seq }
  writing: 'all', // who may write: 'all', 'owner', or seconds between two messages
  pin: null, // the number of the pinned message
  silent: new Set(), // unread numbers that are no messages
  deleted: new Map(), // who deleted a message: seq → name
  filling: false,
  fetchingOlder: false,
  begun: false,
  read: 0,
  newAfter: null,
  mentioned: 0, // the last mention of the reader
  // The number before the messages that were missed without a connection, while they are loaded.
  missedAfter: null,
  typing: new Map(),
  authors: new Map(),
  members: new Set(),
  count: 0,
  notes: [],
  // A member's first message, if it came before the event that announces the member: name → seq.
  early: new Map(),
});

/** Drops everything: another history began, and the numbers mean something else. */
export const reset = (room) => Object.assign(room, empty());

/** The number of unread messages. */
export const unread = (room) =>
  Math.max(0, room.known - room.read - [...room.silent].filter((seq) => seq > room.read).length);

/** Whether an unread message mentions the reader. */
export const isMentioned = (room) => room.mentioned > room.read;

export function markRead(room) {
  room.read = Math.max(room.read, room.known);
  room.silent.clear();
}

/** The index of the first message with this number or a higher one. */
export function indexOf(messages, seq) {
  let low = 0;
  for (let high = messages.length; low < high;) {
    const middle = (low + high) >> 1;
    if (messages[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The event with this number, if the page holds it. */
export function find(room, seq) {
  for (const { messages } of [room, room.past].filter(Boolean)) {
    const found = messages[indexOf(messages, seq)];
    if (found?.seq === seq) return found;
  }
  return null;
}

/**
 * Replaces the messages by the newest page: `upTo` is the newest number, `older` says if there are
 * earlier ones.
 */
export function replace(room, messages, upTo, older) {
  room.messages = [...messages];
  room.authors.clear();
  room.newest = Math.max(upTo, messages.at(-1)?.seq ?? 0);
  room.known = Math.max(room.known, room.newest);
  note(room, messages);
  room.older = older;
  room.loaded = true;
  room.filling = false;
  drain(room);
}

/** Adds a live message. Returns true if it leaves a gap that a page after `newest` has to fill. */
export function receive(room, message) {
  room.known = Math.max(room.known, message.seq);
  if (!room.loaded) {
    if (message.seq === 1) replace(room, [message], 1, false); // nothing to load before it
    else if (room.filling) room.ahead.set(message.seq, message);
    return false;
  }
  if (message.seq <= room.newest) return false; // a duplicate
  room.ahead.set(message.seq, message);
  drain(room);
  return room.ahead.size > 0 && !room.filling;
}

/**
 * Adds a page of messages after `newest`. `first` is the oldest number that the server keeps,
 * `upTo` the newest one, if the answer has it. Returns true if another page is needed.
 */
export function append(room, messages, more, first, upTo = 0) {
  const added = messages.filter(({ seq }) => seq > room.newest);
  room.messages.push(...added);
  // a jump here is shown as a gap: the server no longer keeps it
  room.newest = added.at(-1)?.seq ?? room.newest;
  if (!more) room.newest = Math.max(room.newest, upTo, first - 1);
  room.known = Math.max(room.known, room.newest);
  note(room, added);
  drain(room);
  if (!more && messages.length === 0 && room.ahead.size > 0) {
    // The server has nothing in between; asking again would never end.
    room.newest = Math.min(...room.ahead.keys()) - 1;
    drain(room);
  }
  room.filling = more || room.ahead.size > 0;
  return room.filling;
}

/** Adds a page of messages before the oldest one. */
export function prepend(room, messages, more) {
  const oldest = room.messages[0]?.seq ?? Infinity;
  room.messages = messages.filter(({ seq }) => seq < oldest).concat(room.messages);
  note(room, messages);
  room.older = more;
  room.fetchingOlder = false;
}

/** Shows a part of the history that doesn't reach the messages of the room. */
export function showPast(room, messages, older) {
  room.past = Object.assign(Object.create(room), {
    messages,
    older,
    newer: true,
    loaded: true,
    filling: false,
    fetchingOlder: false,
    notes: [],
    authors: new Map(),
  });
  note(room.past, messages);
  meet(room);
}

/** Adds a page after the part of the history that is shown. */
export function extendPast(room, messages) {
  room.past.messages.push(...messages);
  room.past.filling = false;
  note(room.past, messages);
  meet(room);
}

/** Joins a part of the history with the messages of the room when it reaches them. */
function meet(room) {
  const { past } = room;
  const last = past.messages.at(-1)?.seq ?? 0;
  if (last < room.newest && last + 1 < (room.messages[0]?.seq ?? Infinity)) return;
  const rest = room.messages.slice(indexOf(room.messages, last + 1));
  Object.assign(room, { messages: [...past.messages, ...rest], older: past.older, past: null });
  note(room, past.messages);
}

/** Removes all messages before the number `first`: the owner cleared the channel. */
export function clear(room, first) {
  room.messages = room.messages.slice(indexOf(room.messages, first));
  if (room.loaded) room.newest = Math.max(room.newest, first - 1);
  Object.assign(room, {
    past: null,
    target: null,
    older: false,
    first,
    known: Math.max(room.known, first - 1),
    notes: [],
  });
  if (room.pin < first) room.pin = null;
  drain(room);
}

/** Keeps only the newest messages of a room that isn't open. */
export function trim(room, most) {
  if (room.messages.length <= most) return;
  room.messages = room.messages.slice(-most);
  room.older = true;
}

/** The number of an author among those who used the same name, from 1; 0 if there is only one. */
export function authorNumber(room, name, author) {
  const authors = room.authors.get(name);
  return authors?.size > 1 ? [...authors].filter((one) => one <= author).length : 0;
}

/** Notes the authors of messages, and applies events about earlier messages. */
function note(room, messages) {
  for (const message of messages) {
    const { seq, from, author, of } = message;
    message.asOf ??= room.known; // events up to here are part of what history says about it
    if (carriesText(message))
      room.authors.set(from, (room.authors.get(from) ?? new Set()).add(author));
    else if (seq > room.read) room.silent.add(seq);
    if (message.type === 'deleted') room.deleted.set(of, message.by);
    const earlier = of === undefined ? null : find(room, of);
    if (earlier && carriesText(earlier)) change(earlier, message);
    if (message.type === 'edited') delete message.text; // the message has it, as long as it has one
  }
}

/** Applies an event to the message that it is about. */
function change(message, { type, seq, at, text, owner, emoji, on, mine }) {
  if (type === 'edited' && seq > message.asOf)
    Object.assign(message, { text, owner, edited_at: at });
  if (type === 'deleted') {
    for (const key of Object.keys(message))
      if (!['seq', 'at', 'channel', 'conversation'].includes(key)) delete message[key];
    message.type = 'deleted_message';
  }
  if (type !== 'reacted' || seq <= message.asOf) return;
  message.asOf = seq;
  const all = message.reactions ??= [];
  const one = all.find((other) => other.emoji === emoji)
    ?? all[all.push({ emoji, count: 0, mine: false }) - 1];
  one.count += on ? 1 : -1;
  if (mine) one.mine = on;
  message.reactions = all.filter(({ count }) => count > 0);
}

/** Remembers a speaker whose joining wasn't announced yet. */
export function noteSpeaker(room, { from, seq }) {
  if (!room.members.has(from) && !room.early.has(from)) room.early.set(from, seq);
}

/**
 * Applies a change of the members: names that are now in or out, some of them redundant. The note
 * in the feed comes after the last message, but before the first message of someone who joined;
 * changes without a message in between share it.
 */
export function changeMembers(room, joined, left, at) {
  left = left.filter((name) => room.members.delete(name));
  joined = joined.filter((name) => !room.members.has(name));
  let after = room.newest;
  for (const name of joined)
    if (room.early.has(name)) after = Math.min(after, room.early.get(name) - 1);
  room.early.clear();
  for (const name of joined) room.members.add(name);
  if (!room.loaded || joined.length + left.length === 0) return;
  let note = room.notes.at(-1);
  after = Math.max(after, note?.after ?? 0);
  if (note?.after !== after || !note.joined)
    addNote(room, note = { after, at, joined: new Set(), left: new Set() });
  for (const name of left) if (!note.joined.delete(name)) note.left.add(name);
  for (const name of joined) if (!note.left.delete(name)) note.joined.add(name);
}

/** Notes in the feed that someone has a new name. */
export function noteRename(room, from, to, at) {
  if (room.loaded)
    addNote(room, { after: Math.max(room.newest, room.notes.at(-1)?.after ?? 0), at, from, to });
}

function addNote(room, note) {
  note.id = notes += 1;
  room.notes.push(note);
  if (room.notes.length > MAX_NOTES) room.notes.shift();
}

/** Moves messages from `ahead` that are next in line. */
function drain(room) {
  for (let next; (next = room.ahead.get(room.newest + 1)) !== undefined;) {
    room.messages.push(next);
    note(room, [next]);
    room.newest += 1;
  }
  for (const seq of room.ahead.keys()) if (seq <= room.newest) room.ahead.delete(seq);
}
