// Values kept by the browser. Most are shared by all tabs; `line` belongs to one tab.
//
// Keys begin with the page's path, because one host may have several chats. Without storage (a
// private window may forbid it), the page works and forgets.

const BASE = `parlor:${new URL('.', location.href).pathname}:`;
const UNSENT = 'unsent:';

// As functions: where storage is forbidden, even naming it throws.
const shared = () => localStorage;
const perTab = () => sessionStorage;

function attempt(action) {
  try {
    return action();
  } catch {
    return null; // forbidden or full
  }
}

const read = (store, name) => attempt(() => JSON.parse(store().getItem(BASE + name)));
const write = (store, name, value) =>
  attempt(() => (
    value === null
      ? store().removeItem(BASE + name)
      : store().setItem(BASE + name, JSON.stringify(value))
  ));

/**
 * A value: `get()`, `set(value)`, where null removes it, and `onChange(changed)`, called when
 * another tab changes it.
 */
const item = (store, name, missing = null) => ({
  get: () => read(store, name) ?? missing,
  set: (value) => write(store, name, value),
  onChange: (changed) =>
    addEventListener('storage', ({ key }) => {
      if (key === BASE + name || key === null) changed(read(store, name));
    }),
});

// { name, session }; null before the first hello and after leaving
export const session = item(shared, 'session');
export const channels = item(shared, 'channels', []); // the names of the channels to join
export const marks = item(shared, 'read'); // read markers: { epoch, marks: { key: seq } }
export const line = item(perTab, 'line'); // where the line "New" is: { epoch, key, after }
export const theme = item(shared, 'theme'); // 'light' or 'dark'; null: as the system
export const language = item(shared, 'language'); // its tag; null: as the browser
export const drafts = item(shared, 'drafts', []); // [[key, text]]
// messages that are to be deleted: see app/deletions.js
export const deletions = item(shared, 'deletions', []);
export const ignored = item(shared, 'ignored'); // { epoch, people: { author: name } }
export const ownerKey = item(shared, 'owner'); // the key of a link #owner=KEY
export const password = item(perTab, 'password'); // the room's password, for the owner's links only
export const bell = item(shared, 'bell'); // true if notifications are on, or null
export const muted = item(shared, 'muted', []); // keys of the rooms that are muted
// true if notes about who joined or left are hidden, or null
export const hidesJoins = item(shared, 'joins');
export const people = item(shared, 'people'); // 'closed' if the column of people is
// the channels that the user may have noticed: { epoch, names }
export const seenChannels = item(shared, 'seen');

/**
 * Answers other tabs that ask for the room's password: it is never in shared storage. `get()`
 * returns it, or null.
 */
export function answerForPassword(get) {
  const tabs = new BroadcastChannel(BASE);
  tabs.addEventListener('message',
    ({ data }) => data === 'password?' && get() && tabs.postMessage({ password: get() }));
}

/** The room's password if this tab or another one has it and its user owns the chat; else null. */
export function findPassword(patience = 500) {
  if (password.get() !== null || ownerKey.get() === null) return password.get();
  const tabs = new BroadcastChannel(BASE);
  return new Promise((resolve) => {
    tabs.addEventListener('message', ({ data }) => data.password && resolve(data.password));
    tabs.postMessage('password?');
    setTimeout(resolve, patience, null);
  });
}

/**
 * The messages of all tabs that the server hasn't confirmed yet, in the order in which they were
 * written.
 */
export function unsent() {
  const keys = Object.keys(attempt(shared) ?? {}).filter((key) => key.startsWith(BASE + UNSENT));
  const entries = keys.map((key) => read(shared, key.slice(BASE.length))).filter(Boolean);
  return entries.sort((a, b) => a.order - b.order);
}

/** Keeps an unconfirmed message; null removes it. */
export const keepUnsent = (nonce, entry) => write(shared, UNSENT + nonce, entry);

/** Calls back with the nonce of a message that another tab removed. */
export function onUnsentRemoved(removed) {
  addEventListener('storage', ({ key, newValue }) => {
    if (key?.startsWith(BASE + UNSENT) && newValue === null)
      removed(key.slice((BASE + UNSENT).length));
  });
}

/** Forgets everything about a user who leaves. */
export function forget() {
  for (const value of [
    session,
    channels,
    marks,
    line,
    drafts,
    deletions,
    ignored,
    ownerKey,
    password,
    bell,
    muted,
    seenChannels,
  ]) value.set(null);
  for (const { nonce } of unsent()) keepUnsent(nonce, null);
}
