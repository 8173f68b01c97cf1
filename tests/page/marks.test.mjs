// Read markers, shared by two tabs of one browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const kept = new Map();
const store = () => ({
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, text) => kept.set(key, text),
  removeItem: (key) => kept.delete(key),
});
globalThis.location = { href: 'http://localhost/' };
globalThis.localStorage = store();
globalThis.sessionStorage = store();
globalThis.document = { visibilityState: 'visible', hasFocus: () => true };
let told = [];
globalThis.addEventListener = (name, act) => name === 'storage' && told.push(act);
const { ReadMarkers } = await import('../../www/app/read-markers.js');
const rooms = await import('../../www/store/room.js');
const states = await import('../../www/store/state.js');

const message = (seq) => ({
  type: 'message',
  channel: 'general',
  from: 'Bob',
  author: 2,
  text: 'news',
  seq,
  at: seq,
});

/** A tab at its first visit, with the messages in `general` and the open channel. */
function tab(history, open) {
  const state = states.create();
  const marks = new ReadMarkers(() => state, () => {});
  states.apply(state, {
    type: 'welcome',
    name: 'Ada',
    author: 1,
    session: 's',
    channels: [],
    users: ['Ada'],
    online: 1,
    directs: [],
    epoch: 'e',
  });
  marks.restore('e');
  states.open(state, states.channelRoom(state, open));
  states.apply(state, {
    type: 'joined',
    channel: 'general',
    seq: history.length,
    first: 1,
    members: [],
    count: 1,
    history,
    more: false,
  }, { type: 'join', channel: 'general' });
  return { state, marks, unread: () => rooms.unread(states.channelRoom(state, 'general')) };
}

test('messages of a first visit are read, also in other tabs', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  [told] = [[]];
  const elsewhere = tab([], 'garden');
  states.apply(elsewhere.state, message(1));
  elsewhere.marks.update();
  assert.equal(elsewhere.unread(), 1);
  const here = tab([message(1)], 'general');
  assert.equal(here.unread(), 0, 'on a first visit nothing is new');
  here.marks.update();
  t.mock.timers.tick(400);
  here.marks.update(); // a second update does not delay it
  t.mock.timers.tick(100);
  for (const act of told) act({ key: 'parlor:/:read' });
  assert.equal(elsewhere.unread(), 0);
});

test('messages out of sight stay unread', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  kept.clear();
  for (const hide of [
    ({ marks }) => {
      marks.atEnd = false;
    },
    () => {
      document.visibilityState = 'hidden';
    },
    () => {
      document.hasFocus = () => false;
    },
  ]) {
    Object.assign(document, { visibilityState: 'visible', hasFocus: () => true });
    const one = tab([], 'general');
    hide(one);
    states.apply(one.state, message(1));
    one.marks.update();
    t.mock.timers.tick(1000);
    assert.deepEqual([one.unread(), kept.size], [1, 0]);
  }
});
