// What this page knows: who it is, who is here, which places there are, and which one is open.
//
// `apply(state, event, asked)` takes one event of the server, with the command that it answers, changes the state and returns
// the commands that follow from it. Pure: no DOM, no socket, no clock, so that it can be tested with lists of events.
//
// Not here: one place's messages (place.js), what is still to be sent (outbox.js), the connection (connection.js).

import { mentions } from '../texts/markup.js';
import * as places from './room.js';
import * as say from '../connection/protocol.js';

/** Where everybody meets. It always exists. */
export const HOME = 'general';
/** Who missed more than this is shown the newest page; what came before is fetched where the person scrolls up to it. */
const MISSED_MOST = 1000;
/** Lists in events stop at this many names. */
const LIST_MOST = 500;
/** How many messages a place keeps that is not looked at. */
const KEPT_MOST = 300;
/** How long somebody is shown as writing after they last told so. */
const TYPING_MS = 5000;

export function create() {
  return {
    me: null, epoch: null, limits: { text: 4000 }, clockAhead: 0,
    channels: new Map(), // name → number of members, of all that the server lists
    users: new Set(), online: 0, staleUsers: false,
    places: new Map(), open: null,
    wanted: new Set([HOME]), // channels to be in after each reconnect
    marks: new Map(), // what the browser remembers of what was read, here and in other tabs: markKey → seq
    line: null, // where the line "New" stood before the page was loaded: { key, after }
    nextKey: 1, activity: 0,
    missed: [], // [place, message]: what others said without a connection, until the bell takes them
    merged: [], // [from, to]: keys of places that turned out to be others; whoever keeps keys takes them out
  };
}

export const openPlace = (state) => state.places.get(state.open) ?? null;
/** Whether a user of this name is online. */
export const isUser = (state, name) => state.users.has(name.normalize('NFKC'));
/** Whether a text mentions the user of this page, and not another one with a longer name. */
export const mentionsMe = (state, text) => mentions(text, state.me?.name, (name) => isUser(state, name));
export const isMine = (state, message) => message.author === state.me?.author;

/** The place of a channel; made where there is none yet. */
export function channelPlace(state, name) {
  return state.places.get(`#${name}`) ?? keep(state, places.channel(name));
}

/** The place of a person, by what is known of them; made where there is none. Two conversations can bear the same name: then it is the one that is online. */
export function personPlace(state, name) {
  const same = people(state).filter((place) => place.name.toLowerCase() === name.toLowerCase());
  const best = [true, null, false].map((online) => same.find((place) => place.online === online)).find(Boolean);
  // Somebody is here under the name of one who is known to be away: a stranger.
  if (best && !(best.online === false && best.conversation !== null && state.users.has(name))) return best;
  return draft(state, name);
}

/** A conversation in which nothing was said yet. */
export function draft(state, name) {
  const known = people(state).find((place) => place.conversation === null && place.name === name);
  return known ?? keep(state, places.person(`@${state.nextKey++}`, name));
}

/** All persons with whom there is a conversation, or with whom one is about to begin. The latest first. */
export function people(state) {
  return [...state.places.values()].filter((place) => place.kind === 'person').sort((a, b) => b.activity - a.activity);
}

/** The place of a conversation that is remembered from before, made where the server has not told of it yet. */
export function heldConversation(state, conversation, name) {
  return conversationPlace(state, conversation) ?? keep(state, places.person(`@${state.nextKey++}`, name, conversation));
}

export function conversationPlace(state, conversation) {
  return [...state.places.values()].find((place) => place.kind === 'person' && place.conversation === conversation) ?? null;
}

/** The place that an event or a command names, if it is known here. */
function placeOf(state, { channel, conversation }) {
  if (channel !== undefined) return state.places.get(`#${channel}`) ?? null;
  return conversation === undefined ? null : conversationPlace(state, conversation);
}

/** Under what a place's read mark is remembered over a reload; null where nothing can be remembered. */
export function markKey(place) {
  return place.kind === 'channel' ? place.key : place.conversation && `=${place.conversation}`;
}

/** Opens a place. Returns the commands that bring what it has not got yet. */
export function open(state, place) {
  const before = openPlace(state);
  if (before && before !== place) {
    before.newAfter = null;
    places.trim(before, KEPT_MOST);
    // A person with whom nothing was said leaves no trace.
    if (before.kind === 'person' && before.conversation === null && !before.pinned) state.places.delete(before.key);
  }
  state.open = place.key;
  if (places.unread(place) > 0 && place.read > 0) place.newAfter = place.read;
  if (place.kind === 'channel') return place.joined || place.filling ? [] : joining(place);
  return place.conversation === null || place.loaded || place.filling ? [] : loading(place);
}

/** Asks for what stands before the oldest message of a place, where there is something. */
export function older(place) {
  if (!place.older || place.fetchingOlder || !place.loaded) return [];
  place.fetchingOlder = true;
  return [say.history(say.where(place), { before: place.messages[0]?.seq ?? place.newest + 1 })];
}

/** Applies one event; `asked` is the command that it answers, if it answers one. Returns commands to be sent. */
export function apply(state, event, asked = null, now = 0) {
  return EVENTS[event.type]?.(state, event, asked, now) ?? numbered(state, event);
}

const EVENTS = {
  welcome,
  joined,
  left(state, event) {
    state.wanted.delete(event.channel);
    const place = channelPlace(state, event.channel);
    state.places.delete(place.key);
    if (state.open !== place.key) return [];
    return open(state, channelPlace(state, HOME));
  },
  message: live,
  direct: live,
  history: page,
  ack(state, event, asked) {
    // The first message to a person tells which conversation that is.
    if (event.conversation && asked?.to) met(state, draft(state, asked.to), event.conversation, event.to);
    return [];
  },
  typing(state, event, asked, now) {
    placeOf(state, event)?.typing.set(event.user, now + TYPING_MS);
    return [];
  },
  presence(state, { joined, left, online }) {
    for (const name of left) state.users.delete(name);
    for (const name of joined) state.users.add(name);
    for (const place of people(state)) {
      if (left.includes(place.name)) place.online = false;
      // Somebody has come under this name; whether it is the same one is not said.
      if (joined.includes(place.name) && place.online === false) place.online = null;
    }
    return counted(state, online, joined.length + left.length === 0);
  },
  users(state, event) {
    if (event.channel) {
      const place = state.places.get(`#${event.channel}`);
      if (place) Object.assign(place, { members: new Set(event.users), count: event.count });
      return [];
    }
    state.users = new Set(event.users);
    state.staleUsers = false;
    state.online = event.count;
    return [];
  },
  members(state, event, asked, now) {
    state.channels.set(event.channel, event.count);
    const place = state.places.get(`#${event.channel}`);
    if (!place) return [];
    const me = state.me?.name;
    places.cameAndWent(place, event.joined.filter((name) => name !== me), event.left.filter((name) => name !== me), now);
    place.count = event.count;
    if (place.joined && me !== undefined) place.members.add(me);
    return event.count <= LIST_MOST && place.members.size !== event.count ? [say.who(event.channel)] : [];
  },
  channels(state, event) {
    state.channels = new Map(event.channels.map(({ name, members }) => [name, members]));
    return [];
  },
  channels_changed(state, { created, gone }) {
    for (const name of gone) state.channels.delete(name);
    for (const name of created) if (!state.channels.has(name)) state.channels.set(name, 0);
    return created.length + gone.length === 0 ? [say.channels()] : [];
  },
  renamed(state, { from, to }) {
    if (state.me?.name === from) state.me.name = to;
    if (state.users.delete(from)) state.users.add(to);
    for (const place of people(state)) {
      if (place.name === from && (place.online !== false || place.conversation === null)) place.name = to;
    }
    for (const place of state.places.values()) {
      place.typing.delete(from);
      if (place.members.delete(from)) place.members.add(to);
    }
    return [];
  },
  error: refused,
};

function welcome(state, event) {
  const returns = state.me !== null;
  const others = state.me !== null && state.me.author !== event.author;
  const another = state.epoch !== null && state.epoch !== event.epoch;
  if (another) state.marks.clear();
  const listed = new Set(event.directs.map(({ conversation }) => conversation));
  for (const place of state.places.values()) {
    place.filling = place.fetchingOlder = false;
    if (place.kind === 'channel') place.joined = false;
    if (another || (others && place.kind === 'person')) {
      places.forget(place);
      if (place.kind === 'person' && !listed.has(place.conversation)) place.conversation = null;
    }
  }
  state.me = { name: event.name, author: event.author, session: event.session };
  state.epoch = event.epoch;
  state.limits = event.limits ?? state.limits;
  state.channels = new Map(event.channels.map(({ name, members }) => [name, members]));
  state.users = new Set(event.users);
  for (const { conversation, with: name, seq, online } of [...event.directs].reverse()) {
    const place = conversationPlace(state, conversation)
      // What was begun with the one who is here is this; with one who is away, it can be another of the same name.
      ?? (online ? met(state, draft(state, name), conversation, name) : keep(state, places.person(`@${state.nextKey++}`, name, conversation)));
    // The messages of a conversation that was not shown yet have to be loaded to know whose they are.
    place.missedAfter = returns && !others && !another && !place.loaded && seq > place.known ? place.known : null;
    Object.assign(place, { name, online, known: Math.max(place.known, seq), activity: ++state.activity });
    takeUp(state, place, seq);
  }
  const commands = counted(state, event.online, false);
  if (event.channels.length >= LIST_MOST) commands.push(say.channels());
  const wanted = new Set([...(openPlace(state)?.kind === 'channel' ? [openPlace(state).name] : []), ...state.wanted]);
  for (const name of wanted) commands.push(...joining(channelPlace(state, name), event.channels.find((one) => one.name === name)?.seq));
  for (const place of people(state)) {
    if (place.conversation === null) continue;
    if (place.loaded && place.known > place.newest) commands.push(after(place));
    else if (!place.loaded && (place.key === state.open || place.missedAfter !== null)) commands.push(...loading(place));
  }
  return commands;
}

function joined(state, event, asked) {
  if (asked && asked.channel !== event.channel) rejoinedAs(state, asked.channel, event.channel);
  state.wanted.add(event.channel);
  state.channels.set(event.channel, event.count);
  const place = channelPlace(state, event.channel);
  const returns = place.begun;
  if (!returns) {
    // On a first visit nothing is new.
    if (state.marks.has(place.key)) takeUp(state, place, event.seq);
    else place.read = event.seq;
  }
  place.joined = place.begun = true;
  Object.assign(place, { members: new Set(event.members), count: event.count, first: event.first });
  if (returns) missed(state, place, event.history, place.newest);
  spokenTo(state, place, event.history);
  place.known = Math.max(place.known, event.seq);
  if (asked?.since === undefined || !place.loaded) {
    places.replace(place, event.history, event.seq, event.more);
    return place.ahead.size > 0 ? [after(place)] : [];
  }
  return places.append(place, event.history, event.more, event.first, event.seq) ? [after(place)] : [];
}

/** What the browser remembers: how far it was read, and where the line "New" stood before the page was loaded. */
function takeUp(state, place, newest) {
  const key = markKey(place);
  const mark = state.marks.get(key) ?? 0;
  if (mark > place.read) place.read = mark;
  if (state.line?.key === key) {
    place.newAfter ??= state.line.after;
    state.line = null;
  } else if (mark > 0 && mark < newest && place.key === state.open) place.newAfter ??= mark;
}

/** Another tab has read: so it is read here, and the line "New" stands where it stopped. */
export function readElsewhere(state, marks) {
  state.marks = marks;
  for (const place of state.places.values()) {
    const mark = marks.get(markKey(place)) ?? 0;
    if (mark <= place.read) continue;
    place.read = mark;
    if (place.newAfter !== null && mark > place.newAfter) place.newAfter = mark;
  }
}

/** Remembers the newest of these messages that speaks to the reader. */
function spokenTo(state, place, messages) {
  for (const message of messages) {
    if (!isMine(state, message) && message.seq > place.mentioned && message.channel !== undefined && mentionsMe(state, message.text ?? '')) {
      place.mentioned = message.seq;
    }
  }
}

/** Keeps what others said after `seq` for the bell, but for what arrived by itself. */
function missed(state, place, messages, seq) {
  for (const message of messages) {
    if (message.seq > seq && !place.ahead.has(message.seq) && say.carriesText(message) && !isMine(state, message)) state.missed.push([place, message]);
  }
}

/** The name that was asked for is written in another way. */
function rejoinedAs(state, asked, name) {
  state.wanted.delete(asked);
  const place = state.places.get(`#${asked}`);
  if (place) become(state, place, channelPlace(state, name));
}

/** One place gives way to another. */
function become(state, place, other) {
  state.places.delete(place.key);
  if (state.open === place.key) state.open = other.key;
  state.merged.push([place.key, other.key]);
}

/** A message or a direct, as it happens. */
function live(state, event) {
  const place = event.channel === undefined ? partner(state, event) : channelPlace(state, event.channel);
  place.typing.delete(event.from);
  place.activity = ++state.activity;
  const whole = place.read >= place.known;
  spokenTo(state, place, [event]);
  places.spoke(place, event);
  const gap = places.take(place, event);
  // Who answers has read what is there; in another tab, this is.
  if (isMine(state, event) && whole) places.markRead(place);
  return gap ? [after(place)] : [];
}

/** The place of a conversation that may be heard of for the first time. */
function partner(state, event) {
  const mine = isMine(state, event);
  const name = mine ? event.to : event.from;
  const place = conversationPlace(state, event.conversation) ?? met(state, draft(state, name), event.conversation, name);
  if (!mine || event.from === event.to) Object.assign(place, { online: true, name: event.from });
  return place;
}

/** A draft turns out to be this conversation: it becomes it, or gives way to the place that it has already. */
function met(state, place, conversation, name) {
  const known = conversationPlace(state, conversation);
  if (!known) return Object.assign(place, { conversation, name, online: true });
  if (place.conversation === null) become(state, place, known);
  return Object.assign(known, { name, online: true });
}

/** An answer to `history`: before, after, or the newest. */
function page(state, event, asked) {
  const place = placeOf(state, event);
  if (!place || !asked) return [];
  place.first = Math.max(place.first, event.first);
  if (asked.before !== undefined) {
    places.prepend(place, event.messages, event.more);
  } else if (asked.after !== undefined) {
    missed(state, place, event.messages, place.newest);
    spokenTo(state, place, event.messages);
    return places.append(place, event.messages, event.more, event.first) ? [after(place)] : [];
  } else {
    if (place.missedAfter !== null) missed(state, place, event.messages, place.missedAfter);
    place.missedAfter = null;
    places.replace(place, event.messages, event.first - 1, event.more);
    if (place.ahead.size > 0) return [after(place)];
  }
  return [];
}

/** A type of a later version. Where it numbers something of a place, the number counts. */
function numbered(state, event) {
  if (!Number.isInteger(event.seq) || event.type === 'ack') return [];
  const place = placeOf(state, event);
  return place && places.take(place, event) ? [after(place)] : [];
}

/** A command of the page's own failed: what it was for is given up, so that it can be asked for again. */
function refused(state, event, asked) {
  const place = asked && placeOf(state, asked);
  if (asked?.type === 'join') state.wanted.delete(asked.channel);
  if (place) place.filling = place.fetchingOlder = false;
  return [];
}

/** The number of users online is told; where the names here are not as many, or may be others, they have to be asked for. */
function counted(state, online, namesLeftOut) {
  state.online = online;
  const expected = Math.min(online, LIST_MOST);
  state.staleUsers = namesLeftOut || (online <= LIST_MOST ? state.users.size !== expected : state.users.size < expected);
  return [];
}

function joining(place, newest = place.known) {
  place.filling = true;
  const goesOn = place.loaded && newest - place.newest <= MISSED_MOST;
  if (!goesOn) place.loaded = false;
  return [say.join(place.name, goesOn ? place.newest : undefined)];
}

function loading(place) {
  place.filling = true;
  return [say.history(say.where(place), {})];
}

function after(place) {
  place.filling = true;
  return say.history(say.where(place), { after: place.newest, limit: say.PAGE });
}

function keep(state, place) {
  state.places.set(place.key, place);
  return place;
}
