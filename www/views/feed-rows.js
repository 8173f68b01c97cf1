// What stands in the feed, from top to bottom, as a list of plain rows: day lines, messages with or without the name above them,
// gaps, who came and went, the line above what is new, and what is not yet sent.
//
// A row has a `key`, under which the same thing is found again, and a `stamp`, which changes when it looks different. Pure.
// Not here: the nodes (feed.js, said.js), which part of a long place is shown (span.js).

import { which } from '../store/room.js';

const TOGETHER_MS = 5 * 60_000;

/**
 * The rows of a place's messages from one index up to another. `mine(message)` says what the reader wrote; `pending` are the
 * outbox's entries for this place.
 */
export function rows(place, pending, mine, from = 0, to = place.messages.length) {
  const list = [];
  if (from > 0 || place.older) list.push({ kind: 'older', key: 'older', stamp: '' });
  else if (place.loaded || place.conversation === null) {
    const empty = place.messages.length === 0 && pending.length === 0;
    // The oldest that is here is not the first that was said: what was before it is no longer kept.
    const gone = (place.messages[0]?.seq ?? place.known + 1) > 1;
    list.push({ kind: 'start', key: 'start', stamp: `${place.kind} ${place.name} ${empty} ${gone}`, place: place.kind, name: place.name, empty, gone });
  }
  let before = null;
  let seq = null;
  let date = null;
  let note = place.notes.findIndex(({ after }) => from === 0 || after >= place.messages[from - 1].seq);
  if (note < 0) note = place.notes.length;
  const notes = (upTo) => {
    for (; note < place.notes.length && place.notes[note].after < upTo; note += 1) {
      const { after, joined, left, at } = place.notes[note];
      if (joined.size + left.size === 0) continue; // who came has gone, and the other way round
      list.push({ kind: 'note', key: `note ${after}`, stamp: [...joined, '', ...left].join(), joined: [...joined], left: [...left], at });
      before = null;
    }
  };
  for (let index = from; index < to; index += 1) {
    const message = place.messages[index];
    notes(message.seq);
    if (seq !== null && message.seq > seq + 1) {
      list.push({ kind: 'gap', key: `gap ${message.seq}`, stamp: '' });
      before = null;
    }
    if (seq !== null && place.newAfter !== null && seq <= place.newAfter && message.seq > place.newAfter) {
      list.push({ kind: 'new', key: 'new', stamp: '' });
      before = null;
    }
    seq = message.seq;
    if (message.type !== 'message' && message.type !== 'direct') continue; // numbered, but nothing that this page can show
    if (date !== day(message.at)) {
      date = day(message.at);
      list.push({ kind: 'day', key: `day ${date} ${message.seq}`, stamp: date, at: message.at });
      before = null;
    }
    const own = mine(message);
    const head = startsGroup(before, message);
    const key = own && message.nonce ? `own ${message.nonce}` : `seq ${message.seq}`;
    const number = which(place, message.from, message.author);
    list.push({ kind: 'message', key, stamp: `${head} ${number}`, message, own, head, number });
    before = message;
  }
  if (to < place.messages.length) return list;
  notes(Infinity);
  for (const entry of pending) {
    list.push({ kind: 'pending', key: `own ${entry.nonce}`, stamp: `${entry.stage} ${entry.error}`, entry });
  }
  return list;
}

/** Whether the name stands above a message: somebody else wrote, some time has passed, or one of the two is an action. */
export function startsGroup(before, message) {
  return before === null || before.author !== message.author || before.from !== message.from
    || Boolean(before.action) || Boolean(message.action) || message.at - before.at > TOGETHER_MS;
}

/** Who came and went, as text and names in turn: at most three names are told, the others counted. */
export function noteWords({ joined, left }) {
  const part = (names, verb) => {
    if (names.length === 0) return [];
    const told = names.slice(0, names.length > 4 ? 3 : 4);
    const more = names.length - told.length;
    const words = told.flatMap((name, index) => [index === 0 ? '' : index === told.length - 1 && more === 0 ? ' and ' : ', ', { name }]);
    return [...words, more > 0 ? ` and ${more} others ${verb}` : ` ${verb}`];
  };
  const came = part(joined, 'joined');
  const went = part(left, 'left');
  return [...came, came.length > 0 && went.length > 0 ? '; ' : '', ...went].filter((word) => word !== '');
}

/** The day of a time where the reader is. */
export function day(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
