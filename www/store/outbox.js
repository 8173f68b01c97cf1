// What was written here and is not yet known to be stored.
//
// Each entry has a nonce, which makes sending again safe: the server takes it once. One entry is under way at a time, so that
// what was written in an order arrives in it, whatever is refused or lost in between. Pure: an array, and functions on it.
//
// Not here: sending (chat.js), what a pending message looks like (feed.js).

/** Adds a text for a place; `conversation` is the one it was written in, null for a channel or a first message. `nonce` is one that nobody else makes up. */
export function add(outbox, { nonce, key, conversation, text, action, at }) {
  const entry = { nonce, key, conversation, text, action: action || undefined, at, stage: 'waiting', error: null };
  outbox.push(entry);
  return entry;
}

/** The entry to be sent now: none while one is under way; those whose place is not ready wait without holding up others. */
export function next(outbox, isReady) {
  if (outbox.some((entry) => entry.stage === 'sending')) return null;
  return outbox.find((entry) => entry.stage === 'waiting' && isReady(entry)) ?? null;
}

/** The server has it. Returns the entry, or null where it is not one of ours (another tab's, or settled already). */
export function settle(outbox, nonce) {
  const index = outbox.findIndex((entry) => entry.nonce === nonce);
  return index < 0 ? null : outbox.splice(index, 1)[0];
}

/** The server refused it: it stays until the person tries again or throws it away. */
export function fail(outbox, nonce, sentence) {
  const entry = outbox.find((one) => one.nonce === nonce);
  if (entry) Object.assign(entry, { stage: 'failed', error: sentence });
}

/** To be sent again, into the conversation that its place is now. */
export function retry(outbox, nonce, conversation) {
  const entry = outbox.find((one) => one.nonce === nonce);
  if (entry) Object.assign(entry, { stage: 'waiting', error: null, conversation });
}

/** The connection is gone: what was under way may or may not have arrived, and is sent again with the same nonce. */
export function lost(outbox) {
  for (const entry of outbox) {
    if (entry.stage === 'sending') entry.stage = 'waiting';
  }
}

/** A place turned out to be another one: a person with whom there was a conversation already. */
export function move(outbox, from, to) {
  for (const entry of outbox) {
    if (entry.key === from) entry.key = to;
  }
}

/** What is pending in one place, oldest first. */
export function pending(outbox, key) {
  return outbox.filter((entry) => entry.key === key);
}
