// What stands in the feed, from top to bottom, as a list of plain rows: day lines, messages with or without the name above them,
// gaps, the line above what is new, and what is not yet sent.
//
// A row has a `key`, under which the same thing is found again, and a `stamp`, which changes when it looks different. Pure.
// Not here: the nodes (feed.js).

const TOGETHER_MS = 5 * 60_000;

/** The rows of a place. `mine(message)` says what the reader wrote; `pending` are the outbox's entries for this place. */
export function rows(place, pending, mine) {
  const list = [];
  if (place.older) list.push({ kind: 'older', key: 'older', stamp: String(place.fetchingOlder) });
  else if (place.loaded || place.conversation === null) list.push({ kind: 'start', key: 'start', stamp: `${place.kind} ${place.name}` });
  let before = null;
  let seq = null;
  let date = null;
  for (const message of place.messages) {
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
    list.push({ kind: 'message', key, stamp: `${head}`, message, own, head });
    before = message;
  }
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

/** The day of a time where the reader is. */
export function day(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
