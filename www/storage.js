// What the browser remembers for this page: the session, shared by all tabs; the channels that were joined and what was read;
// and, for one tab alone, what is not sent yet.
//
// Everything is kept under the page's own path, since several chats may live behind one host. Where nothing can be kept (a
// private window that forbids it) the page works, and forgets. Not here: what the values mean.

const BASE = `parlor:${new URL('.', location.href).pathname}:`;

const read = (store, name) => {
  try {
    return JSON.parse(store().getItem(BASE + name));
  } catch {
    return null;
  }
};

const write = (store, name, value) => {
  try {
    if (value === null) store().removeItem(BASE + name);
    else store().setItem(BASE + name, JSON.stringify(value));
  } catch { /* it is forgotten */ }
};

// As functions: where storage is forbidden even naming it throws.
const shared = () => localStorage;
const own = () => sessionStorage;

/** `{ name, session }`, or null before the first hello and after leaving. */
export const session = () => read(shared, 'session');
export const keepSession = (value) => write(shared, 'session', value);

/** Calls back when another tab entered, or left. */
export function onSession(changed) {
  addEventListener('storage', ({ key }) => {
    if (key === `${BASE}session` || key === null) changed(session());
  });
}

/** The names of the channels to be in. */
export const channels = () => read(shared, 'channels') ?? [];
export const keepChannels = (names) => write(shared, 'channels', names);

/** What was read: `{ epoch, marks: { key: seq } }`. */
export const marks = () => read(shared, 'read');
export const keepMarks = (value) => write(shared, 'read', value);

/** This tab's texts that may not have arrived. */
export const outbox = () => read(own, 'outbox') ?? [];
export const keepOutbox = (entries) => write(own, 'outbox', entries.length > 0 ? entries : null);

/** Everything about a person who leaves. */
export function forget() {
  for (const name of ['session', 'channels', 'read']) write(shared, name, null);
  write(own, 'outbox', null);
}
