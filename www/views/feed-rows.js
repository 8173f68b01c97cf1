// The rows of the feed, from top to bottom, as plain objects: days, messages (also deleted ones),
// gaps, notes, the line "New", unsent messages.
//
// A row has a `key`, by which it is found again, and a `stamp`, which changes when it looks
// different. Pure.

import { carriesText } from '../connection/protocol.js';
import { authorNumber, indexOf } from '../store/room.js';
import { day } from './time.js';

const GROUP_MS = 5 * 60_000;
/** The number of notes in a row that are folded to one. */
const MANY_NOTES = 3;

/**
 * The rows of a room's messages `[from, to)`. `isMine(message)` tells the reader's own; `pending`
 * are outbox entries. Of `hidden`, `ignored(message)` tells whose messages are folded,
 * `deleting(seq)` which are about to be deleted, `joins` whether notes about who joined or left are
 * hidden, and `unfolded(id)` whether notes that follow one another are shown one by one.
 */
export function rows(room, pending, isMine, from = 0, to = room.messages.length, hidden = {}) {
  const never = () => false;
  const { ignored = never, deleting = never, joins = false, unfolded = never } = hidden;
  const list = [];
  if (from > 0 || room.older) list.push({ kind: 'older', key: 'older', stamp: '' });
  else if (room.loaded || room.conversation === null) list.push(start(room, pending));
  let previous = null, seq = null, date = null;
  let isRead = room.newAfter !== null && room.messages[from]?.seq <= room.newAfter;
  const add = (row) => {
    list.push(row);
    previous = null;
  };
  let note = room.notes.findIndex(({ after }) =>
    from === 0 || after >= room.messages[from - 1].seq
  );
  if (note < 0) note = room.notes.length;
  const addNotes = (upTo) => {
    const group = [];
    for (; note < room.notes.length && room.notes[note].after < upTo; note += 1) {
      const { id, joined = new Set(), left = new Set(), from: oldName, to: newName } =
        room.notes[note];
      if ((joined.size + left.size === 0 || joins) && !newName) continue; // joined and left again
      const stamp = [...joined, '', ...left, oldName, newName].join();
      group.push({
        kind: 'note',
        key: `note ${id}`,
        id,
        stamp,
        joined: [...joined],
        left: [...left],
        from: oldName,
        to: newName,
      });
    }
    if (group.length < MANY_NOTES) return group.forEach(add);
    const [{ id }] = group;
    const isOpen = unfolded(id);
    const count = group.reduce(
      (sum, one) => sum + (one.to ? 1 : one.joined.length + one.left.length),
      0,
    );
    add({ kind: 'notes', key: `notes ${id}`, stamp: `${count} ${isOpen}`, id, count, isOpen });
    return isOpen ? group.forEach(add) : undefined;
  };
  for (const message of room.messages.slice(from, to)) {
    addNotes(message.seq);
    if (seq !== null && message.seq > seq + 1)
      add({ kind: 'gap', key: `gap ${message.seq}`, stamp: '' });
    seq = message.seq;
    const isDeleted = room.deleted.has(seq);
    // about another message, or a type of a later version
    if (!carriesText(message) && !isDeleted) continue;
    if (isRead && seq > room.newAfter) {
      add({ kind: 'new', key: 'new', stamp: '' });
      isRead = false;
    }
    if (message.at !== undefined && date !== day(message.at)) {
      date = day(message.at);
      add({ kind: 'day', key: `day ${date} ${seq}`, stamp: date, at: message.at });
    }
    if (isDeleted)
      add({
        kind: 'deleted',
        key: `seq ${seq}`,
        stamp: room.deleted.get(seq),
        by: room.deleted.get(seq),
      });
    else if (deleting(seq)) add({ kind: 'deleting', key: `deleting ${seq}`, stamp: '', seq });
    if (isDeleted || deleting(seq)) continue;
    if (ignored(message)) {
      if (list.at(-1).kind === 'ignored') list.at(-1).stamp = list.at(-1).seqs.push(seq);
      else add({ kind: 'ignored', key: `ignored ${seq}`, stamp: 1, seqs: [seq] });
      continue;
    }
    const own = isMine(message);
    const head = startsGroup(previous, message);
    const number = authorNumber(room, message.from, message.author);
    const key = own && message.nonce ? `own ${message.nonce}` : `seq ${seq}`;
    list.push({
      kind: 'message',
      key,
      stamp: JSON.stringify([head, number, message.edited_at, message.reactions]),
      message,
      own,
      head,
      number,
    });
    previous = message;
  }
  if (to < room.messages.length || room.newer) return list;
  addNotes(Infinity);
  for (const entry of pending) {
    const isOwn = previous !== null && (previous.stage !== undefined || isMine(previous));
    const head = !isOwn
      || startsGroup(previous, { ...previous, action: entry.action, at: entry.at });
    list.push({
      kind: 'pending',
      key: `own ${entry.nonce}`,
      stamp: `${entry.stage} ${entry.error} ${head}`,
      entry,
      head,
    });
    previous = entry;
  }
  return list;
}

function start({ kind, name, messages, known }, pending) {
  const empty = messages.length === 0 && pending.length === 0;
  const gone = (messages[0]?.seq ?? known + 1) > 1; // older messages are no longer stored
  return {
    kind: 'start',
    key: 'start',
    stamp: `${kind} ${name} ${empty} ${gone}`,
    room: kind,
    name,
    empty,
    gone,
  };
}

/** Whether the author's name is shown above a message. */
export function startsGroup(previous, message) {
  return previous === null || previous.author !== message.author || previous.from !== message.from
    || previous.owner !== message.owner || Boolean(previous.action) || Boolean(message.action)
    || message.at - previous.at > GROUP_MS;
}

// Which part of a room's messages is in the document: a room may hold fifty thousand, which no
// browser lays out quickly. The range moves with the reader. It is held by numbers, not indices,
// because earlier pages are inserted before it.

/** Messages shown at first at the end · more than this drops the far end · added at once. */
const FIRST = 250, MOST = 700, STEP = 200;

export class MessageRange {
  #first = null; // number of the first one; null: not known yet
  #last = null; // number of the last one; null: the range includes what comes

  /** `[from, to)` among the messages. At the end, the range follows. */
  range(messages, atEnd) {
    const count = messages.length;
    let to = this.#last === null || atEnd ? count : indexOf(messages, this.#last + 1);
    let from = this.#first === null ? Math.max(0, count - FIRST) : indexOf(messages, this.#first);
    if (from >= to) [from, to] = [Math.max(0, count - FIRST), count];
    if (to - from > MOST) {
      if (atEnd) from = to - FIRST;
      else to = from + MOST;
    }
    return this.#hold(messages, from, to);
  }

  /** Extends the range upwards. False if it already begins with the first message. */
  up(messages) {
    const from = this.#first === null ? 0 : indexOf(messages, this.#first);
    if (from === 0) return false;
    const to = this.#last === null ? messages.length : indexOf(messages, this.#last + 1);
    const begin = Math.max(0, from - STEP);
    this.#hold(messages, begin, Math.min(to, begin + MOST));
    return true;
  }

  /** Extends the range downwards. False if it already ends with the last message. */
  down(messages) {
    if (this.#last === null) return false;
    const to = Math.min(messages.length, indexOf(messages, this.#last + 1) + STEP);
    this.#hold(messages, Math.max(indexOf(messages, this.#first), to - MOST), to);
    return true;
  }

  /** Moves the range to the message with a number. */
  around(messages, seq) {
    const from = Math.max(0, indexOf(messages, seq) - FIRST / 2);
    this.#hold(messages, from, Math.min(messages.length, from + FIRST));
  }

  /** Moves the range to the end. */
  end() {
    this.#first = this.#last = null;
  }

  #hold(messages, from, to) {
    this.#first = messages[from]?.seq ?? null;
    this.#last = to < messages.length ? messages[to - 1].seq : null;
    return [from, to];
  }
}
