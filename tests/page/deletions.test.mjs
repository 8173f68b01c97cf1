// Deletions: delayed, stored in the browser, and sent at once when the page closes.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

const kept = new Map();
globalThis.location = { href: 'http://localhost/' };
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, text) => kept.set(key, text),
  removeItem: (key) => kept.delete(key),
};
let listeners = [];
globalThis.addEventListener = (type, act) => listeners.push([type, act]);
const { Deletions } = await import('../../www/app/deletions.js');
const states = await import('../../www/store/state.js');

beforeEach(() => {
  kept.clear();
  listeners = [];
});

/**
 * A page with `general` open. `sent` has the numbers of the messages that it asked the server to
 * delete.
 */
function page(epoch = 'one') {
  const state = Object.assign(states.create(), { epoch });
  const sent = [];
  const room = states.channelRoom(state, 'general');
  const count = listeners.length;
  const deletions = new Deletions({
    state: () => state,
    changed: () => {},
    failed: () => {},
    notify: ({ seq }) => sent.push(seq),
    request: async ({ seq }) => {
      sent.push(seq);
    },
  });
  const own = listeners.slice(count);
  const event = (type, given) =>
    own.filter(([name]) => name === type).forEach(([, act]) => act(given));
  return {
    state,
    room,
    deletions,
    sent,
    close: () => event('pagehide'),
    storageChanged: () => event('storage', { key: null }),
  };
}

test('a closed page sends its own deletions, and a user who leaves sends all', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const [one, two] = [page(), page()];
  one.deletions.add(one.room, 7);
  two.storageChanged();
  two.deletions.add(two.room, 8);
  two.close();
  assert.deepEqual(two.sent, [8]);
  one.storageChanged();
  one.close();
  assert.deepEqual(one.sent, [7]);
  const third = page();
  third.deletions.hurry();
  assert.deepEqual(third.sent, [7, 8]);
});

test('a deletion of another history is never sent', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { state, room, deletions, sent, close } = page();
  deletions.add(room, 7);
  state.epoch = 'two';
  close();
  t.mock.timers.tick(6000);
  await deletions.flush();
  assert.deepEqual([sent, kept.size], [[], 0]);
});
