// The rows of the feed, from top to bottom, as plain objects: days, messages and what is left of deleted ones, gaps, notes, the
// line "New", unsent messages.
//
// A row has a `key`, by which it is found again, and a `stamp`, which changes when it looks different. Pure.

import { carriesText } from '../connection/protocol.js';
import { authorNumber } from '../store/room.js';
import { day } from './time.js';

const GROUP_MS = 5 * 60_000;

/**
 * The rows of a room's messages `[from, to)`. `isMine(message)` tells the reader's own; `pending` are outbox entries. Of
 * `hidden`, `ignored(message)` tells whose messages are folded, and `deleting(seq)` which are about to be deleted.
 */
export function rows(room, pending, isMine, from = 0, to = room.messages.length, { ignored = () => false, deleting = () => false } = {}) {
  const list = [];
  if (from > 0 || room.older) list.push({ kind: 'older', key: 'older', stamp: '' });
  else if (room.loaded || room.conversation === null) list.push(start(room, pending));
  let previous = null, seq = null, date = null;
  const add = (row) => {
    list.push(row);
    previous = null;
  };
  let note = room.notes.findIndex(({ after }) => from === 0 || after >= room.messages[from - 1].seq);
  if (note < 0) note = room.notes.length;
  const addNotes = (upTo) => {
    for (; note < room.notes.length && room.notes[note].after < upTo; note += 1) {
      const { id, joined = new Set(), left = new Set(), from: oldName, to: newName } = room.notes[note];
      if (joined.size + left.size === 0 && !newName) continue; // joined and left again
      const stamp = [...joined, '', ...left, oldName, newName].join();
      add({ kind: 'note', key: `note ${id}`, stamp, joined: [...joined], left: [...left], from: oldName, to: newName });
    }
  };
  for (const message of room.messages.slice(from, to)) {
    addNotes(message.seq);
    if (seq !== null && message.seq > seq + 1) add({ kind: 'gap', key: `gap ${message.seq}`, stamp: '' });
    const isFirstNew = seq !== null && room.newAfter !== null && seq <= room.newAfter && message.seq > room.newAfter;
    if (isFirstNew) add({ kind: 'new', key: 'new', stamp: '' });
    seq = message.seq;
    const isDeleted = room.deleted.has(seq);
    if (!carriesText(message) && !isDeleted) continue; // about another message, or a type of a later version
    if (message.at !== undefined && date !== day(message.at)) {
      date = day(message.at);
      add({ kind: 'day', key: `day ${date} ${seq}`, stamp: date, at: message.at });
    }
    if (isDeleted) add({ kind: 'deleted', key: `seq ${seq}`, stamp: room.deleted.get(seq), by: room.deleted.get(seq) });
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
    list.push({ kind: 'message', key, stamp: JSON.stringify([head, number, message.edited_at, message.reactions]), message, own, head, number });
    previous = message;
  }
  if (to < room.messages.length || room.newer) return list;
  addNotes(Infinity);
  for (const entry of pending) {
    list.push({ kind: 'pending', key: `own ${entry.nonce}`, stamp: `${entry.stage} ${entry.error}`, entry });
  }
  return list;
}

function start({ kind, name, messages, known }, pending) {
  const empty = messages.length === 0 && pending.length === 0;
  const gone = (messages[0]?.seq ?? known + 1) > 1; // older messages are no longer stored
  return { kind: 'start', key: 'start', stamp: `${kind} ${name} ${empty} ${gone}`, room: kind, name, empty, gone };
}

/** Whether the author's name is shown above a message. */
export function startsGroup(previous, message) {
  return previous === null || previous.author !== message.author || previous.from !== message.from
    || previous.owner !== message.owner || Boolean(previous.action) || Boolean(message.action) || message.at - previous.at > GROUP_MS;
}
