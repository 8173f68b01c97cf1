// What the browser keeps for this page. Most of it is shared by all tabs; `line` belongs to one tab.
//
// Keys begin with the page's path, because several chats may run behind one host. If nothing can be kept (a private
// window may forbid it), the page works and forgets.

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
const write = (store, name, value) => attempt(() => (
  value === null ? store().removeItem(BASE + name) : store().setItem(BASE + name, JSON.stringify(value))));

/** A value: `get()`, `set(value)`, where null removes it, and `onChange(changed)`, called when another tab changes it. */
const item = (store, name, missing = null) => ({
  get: () => read(store, name) ?? missing,
  set: (value) => write(store, name, value),
  onChange: (changed) => addEventListener('storage', ({ key }) => (key === BASE + name || key === null) && changed(read(store, name))),
});

/** `{ name, session }`; null before the first hello and after leaving. */
export const session = item(shared, 'session');
/** The names of the channels to join. */
export const channels = item(shared, 'channels', []);
/** Read markers: `{ epoch, marks: { key: seq } }`. */
export const marks = item(shared, 'read');
/** Where the line "New" is: `{ epoch, key, after }`. */
export const line = item(perTab, 'line');
/** `light` or `dark`; null: as the system. */
export const theme = item(shared, 'theme');
/** Drafts: `[[key, text]]`. */
export const drafts = item(shared, 'drafts', []);
/** Whether notifications are on: true, or null. */
export const bell = item(shared, 'bell');

/** The messages that the server hasn't confirmed yet, of all tabs, in the order in which they were written. */
export function unsent() {
  const nonces = Object.keys(attempt(shared) ?? {}).filter((key) => key.startsWith(BASE + UNSENT));
  const entries = nonces.map((key) => read(shared, key.slice(BASE.length))).filter(Boolean);
  return entries.sort((a, b) => a.order - b.order);
}

/** Keeps one of them, or removes it. */
export const keepUnsent = (nonce, entry) => write(shared, UNSENT + nonce, entry);

/** Calls back with the nonce of a message that another tab removed. */
export function onUnsentRemoved(removed) {
  addEventListener('storage', ({ key, newValue }) => {
    if (key?.startsWith(BASE + UNSENT) && newValue === null) removed(key.slice((BASE + UNSENT).length));
  });
}

/** Forgets everything about a person who leaves. */
export function forget() {
  for (const value of [session, channels, marks, line, drafts, bell]) value.set(null);
  for (const { nonce } of unsent()) keepUnsent(nonce, null);
}
