// Messages that the server hasn't confirmed yet. Pure: an array, and functions on it.
//
// Each entry has a nonce, so that sending it again is safe: the server stores it once. One entry is sent at a time, so
// messages arrive in the order in which they were written, also if some are refused or lost.

/** Connections that the server may close because of one entry before that entry counts as refused. */
const MAX_REJECTIONS = 2;

const find = (outbox, nonce) => outbox.find((entry) => entry.nonce === nonce);

/**
 * Adds a message: `{ nonce, key, conversation, text, action, at, order }`. `conversation` is null for a channel or a
 * first message.
 */
export function add(outbox, { action, ...entry }) {
  Object.assign(entry, { action: action || undefined, stage: 'waiting', error: null });
  outbox.push(entry);
  return entry;
}

/** The entry to send now, or null. Entries whose room isn't ready don't hold up others. */
export function next(outbox, isReady) {
  if (outbox.some(({ stage }) => stage === 'sending')) return null;
  return outbox.find((entry) => entry.stage === 'waiting' && isReady(entry)) ?? null;
}

/** Removes an entry that the server has. Returns it, or null if there is no such entry. */
export function settle(outbox, nonce) {
  const entry = find(outbox, nonce);
  return entry ? outbox.splice(outbox.indexOf(entry), 1)[0] : null;
}

/** Marks an entry as refused. It stays until the user retries or deletes it. */
export function fail(outbox, nonce, error) {
  Object.assign(find(outbox, nonce) ?? {}, { stage: 'failed', error });
}

/** Queues a refused entry again, for the conversation that its room has now. */
export function retry(outbox, nonce, conversation) {
  Object.assign(find(outbox, nonce) ?? {}, { stage: 'waiting', error: null, conversation });
}

/**
 * The connection is gone. An entry under way is sent again, unless the server closed the connection because of what
 * this page sent (`rejected`) and it isn't the first time: then it fails with `error`.
 */
export function lost(outbox, rejected = false, error = '') {
  for (const entry of outbox.filter(({ stage }) => stage === 'sending')) {
    entry.stage = 'waiting';
    entry.rejections = (entry.rejections ?? 0) + (rejected ? 1 : 0);
    if (rejected && entry.rejections >= MAX_REJECTIONS) fail(outbox, entry.nonce, error);
  }
}

/** Moves the entries of a room to another room, which turned out to be the same. */
export const move = (outbox, from, to) => pending(outbox, from).forEach((entry) => { entry.key = to; });

/** The entries of one room, oldest first. */
export const pending = (outbox, key) => outbox.filter((entry) => entry.key === key);
