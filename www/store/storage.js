// What the browser remembers for this page: the session, shared by all tabs; the channels that were joined and what was read;
// drafts; and what is not sent yet, each tab's for itself (shelf.js).
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

/** Calls back when another tab has read. */
export function onMarks(changed) {
  addEventListener('storage', ({ key }) => {
    if (key === `${BASE}read`) changed(marks());
  });
}

/** Where the line "New" stands in what this tab has open: `{ epoch, key, after }`, or null. */
export const line = () => read(own, 'line');
export const keepLine = (value) => write(own, 'line', value);

/** `light` or `dark`; null: as the system has it. */
export const theme = () => read(shared, 'theme');
export const keepTheme = (value) => write(shared, 'theme', value);

/** What was begun and not sent: `[[key, text]]`, see drafts.js. */
export const drafts = () => read(shared, 'drafts') ?? [];
export const keepDrafts = (list) => write(shared, 'drafts', list.length > 0 ? list : null);

/** Whether the bell is on: true, or null. */
export const bell = () => read(shared, 'bell');
export const keepBell = (on) => write(shared, 'bell', on || null);

/** The texts of one tab that may not have arrived: `{ at, entries }`, where `at` is when it was last kept. */
export const outbox = (tab) => read(shared, `outbox:${tab}`);
export const keepOutbox = (tab, value) => write(shared, `outbox:${tab}`, value);

/** The tabs of which there is such a one. */
export function outboxes() {
  const begin = `${BASE}outbox:`;
  try {
    return Object.keys(shared()).filter((key) => key.startsWith(begin)).map((key) => key.slice(begin.length));
  } catch {
    return [];
  }
}

/** Which tab this was before a reload. It is asked for once: a copy of the tab must not take itself for the same. */
export function takeTab() {
  const tab = read(own, 'tab');
  write(own, 'tab', null);
  return tab;
}
export const keepTab = (tab) => write(own, 'tab', tab);

/** The name of what one tab alone may hold. */
export const lockName = (tab) => `${BASE}outbox:${tab}`;

/** Everything about a person who leaves. */
export function forget() {
  for (const name of ['session', 'channels', 'read', 'drafts', 'bell']) write(shared, name, null);
  keepLine(null);
  for (const tab of outboxes()) keepOutbox(tab, null);
}
