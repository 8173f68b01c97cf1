// One place: a channel or a conversation, what was said in it, and up to which number nothing is missing.
//
// Everything with a `seq` is kept in one array in that order, also what this page does not know how to show, so that a jump in
// the numbers is always a real gap. `newest` is the number up to which the array is whole; what arrives beyond it waits in
// `ahead` until a page fills the hole. Pure: no DOM, no socket, no clock; functions change the place they are given.
//
// Not here: which places there are and when to ask for pages (state.js), how messages look (rows.js, feed.js).

const NOTES_MOST = 200;

/** A channel; its key is its address. */
export function channel(name) {
  return { key: `#${name}`, kind: 'channel', name, joined: false, ...nothing() };
}

/** Somebody to talk with in private. The conversation is null until something was said; the key is this page's own. */
export function person(key, name, conversation = null) {
  // online: true, false, or null where somebody came under this name and may or may not be the one of before. pinned: something
  // is to be sent there, so it stays in the list even before the first message.
  return { key, kind: 'person', name, conversation, online: null, activity: 0, pinned: false, ...nothing() };
}

function nothing() {
  return {
    messages: [], loaded: false, first: 1, newest: 0, known: 0, older: false, ahead: new Map(),
    filling: false, fetchingOlder: false, begun: false, read: 0, newAfter: null, typing: new Map(),
    missedAfter: null, // while messages are loaded that came without a connection: the newest number before them
    mentioned: 0, // the newest message that speaks to the reader
    authors: new Map(), // name → the authors who wrote under it
    members: new Set(), count: 0, notes: [],
    early: new Map(), // name → the first they said, of who spoke before it was told that they came
  };
}

/** Another history began: numbers mean nothing any more. */
export function forget(place) {
  Object.assign(place, nothing());
}

/** How many messages came that were not looked at. */
export function unread(place) {
  return Math.max(0, place.known - place.read);
}

/** Whether the reader was spoken to in what they did not look at. */
export function isMentioned(place) {
  return place.mentioned > place.read;
}

/** What is on the screen counts as read. */
export function markRead(place) {
  place.read = Math.max(place.read, place.known);
}

/** The newest page: `upTo` is the newest number there is, `older` says whether there is more before it. */
export function replace(place, messages, upTo, older) {
  place.messages = [...messages];
  place.authors.clear();
  meet(place, messages);
  place.newest = Math.max(upTo, messages.at(-1)?.seq ?? 0);
  place.known = Math.max(place.known, place.newest);
  place.older = older;
  place.loaded = true;
  place.filling = false;
  drain(place);
}

/** One message as it happens. Returns true where it leaves a gap that has to be filled by a page after `newest`. */
export function take(place, message) {
  place.known = Math.max(place.known, message.seq);
  if (!place.loaded) {
    if (message.seq === 1) {
      replace(place, [message], 1, false); // the beginning: nothing to be loaded before it
    } else if (place.filling) {
      place.ahead.set(message.seq, message);
    }
    return false;
  }
  if (message.seq <= place.newest) return false; // seen already
  place.ahead.set(message.seq, message);
  drain(place);
  return place.ahead.size > 0 && !place.filling;
}

/**
 * A page of what came after `newest`. `first` is the oldest message that the server still has, `upTo` the newest there is
 * where the answer says it. Returns true where another page is needed.
 */
export function append(place, messages, more, first, upTo = 0) {
  for (const message of messages) {
    if (message.seq > place.newest) {
      place.messages.push(message);
      meet(place, [message]);
      place.newest = message.seq; // a jump here is what the server does not keep any more; rows.js shows it
    }
  }
  if (!more) place.newest = Math.max(place.newest, upTo, first - 1);
  place.known = Math.max(place.known, place.newest);
  drain(place);
  if (!more && messages.length === 0 && place.ahead.size > 0) {
    // The server has nothing in between: asking again would be asking for ever.
    place.newest = Math.min(...place.ahead.keys()) - 1;
    drain(place);
  }
  place.filling = more || place.ahead.size > 0;
  return place.filling;
}

/** A page of what came before the oldest message here. */
export function prepend(place, messages, more) {
  const oldest = place.messages[0]?.seq ?? Infinity;
  place.messages = messages.filter((message) => message.seq < oldest).concat(place.messages);
  meet(place, messages);
  place.older = more;
  place.fetchingOlder = false;
}

/** Keeps only the newest messages of a place that is not looked at; the others can be fetched again. */
export function trim(place, most) {
  if (place.messages.length <= most) return;
  place.messages = place.messages.slice(-most);
  place.older = true;
}

/** Which of several people who wrote under one name here an author is: 1 for who came first to the server. 0: there is only one. */
export function which(place, name, author) {
  const authors = place.authors.get(name);
  return authors?.size > 1 ? [...authors].filter((one) => one <= author).length : 0;
}

function meet(place, messages) {
  for (const { from, author } of messages) {
    if (from === undefined) continue;
    const authors = place.authors.get(from);
    if (authors) authors.add(author);
    else place.authors.set(from, new Set([author]));
  }
}

/** Somebody speaks here. That they came may be told later. */
export function spoke(place, { from, seq }) {
  if (!place.members.has(from) && !place.early.has(from)) place.early.set(from, seq);
}

/** Who came and who went, after what was said last, but who came before what they say. What follows without a word in between is one note. */
export function cameAndWent(place, joined, left, at) {
  let after = place.newest;
  for (const name of joined) if (place.early.has(name)) after = Math.min(after, place.early.get(name) - 1);
  place.early.clear();
  for (const name of left) place.members.delete(name);
  for (const name of joined) place.members.add(name);
  if (!place.loaded || joined.length + left.length === 0) return;
  let note = place.notes.at(-1);
  after = Math.max(after, note?.after ?? 0);
  if (note?.after !== after) place.notes.push(note = { after, at, joined: new Set(), left: new Set() });
  for (const name of left) if (!note.joined.delete(name)) note.left.add(name);
  for (const name of joined) if (!note.left.delete(name)) note.joined.add(name);
  if (place.notes.length > NOTES_MOST) place.notes.shift();
}

/** The numbers that waited and are next in line. */
function drain(place) {
  for (let next; (next = place.ahead.get(place.newest + 1)) !== undefined;) {
    place.messages.push(next);
    meet(place, [next]);
    place.newest += 1;
  }
  for (const seq of place.ahead.keys()) {
    if (seq <= place.newest) place.ahead.delete(seq);
  }
}
