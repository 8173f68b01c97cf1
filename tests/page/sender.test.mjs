// Unsent messages: kept over reloads, shared by tabs, each removed once the server has it.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

const kept = new Map();
globalThis.location = { href: 'http://localhost/' };
globalThis.localStorage = new Proxy({
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, text) => kept.set(key, text),
  removeItem: (key) => kept.delete(key),
}, {
  ownKeys: () => [...kept.keys()],
  getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
});
let listeners = [], intervals = [];
globalThis.addEventListener = (_, act) => listeners.push(act);
globalThis.setInterval = (act) => intervals.push(act);
const { Sender } = await import('../../www/app/sender.js');
const states = await import('../../www/store/state.js');

beforeEach(() => {
  kept.clear();
  [listeners, intervals] = [[], []];
});

/** A page with `general` joined. `sent` has the pending commands, each with its answer. */
function page(ready = true) {
  const state = states.create();
  state.me = { name: 'Ada', author: 1 };
  states.channelRoom(state, 'general').joined = true;
  const sent = [];
  const connection = {
    request: (command) =>
      new Promise((resolve, reject) => {
        sent.push({ ...command, resolve, reject });
      }),
  };
  const sender = new Sender({
    state: () => state,
    connection,
    ready: () => ready,
    changed: () => {},
    failed: () => {},
  });
  return {
    state,
    sender,
    sent,
    post: (text) => sender.post(states.channelRoom(state, 'general'), text),
  };
}
const settled = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
const texts = ({ outbox }) => outbox.map(({ text }) => text);

test('unsent messages are kept over a reload, in order', async () => {
  const before = page(false);
  for (const text of ['one', 'two', 'three']) before.post(text);
  const { sender, sent } = page();
  sender.restore();
  for (const text of ['one', 'two', 'three']) {
    assert.equal(sent.at(-1).text, text);
    sent.at(-1).resolve();
    await settled();
  }
  assert.deepEqual([texts(sender), kept.size], [[], 0]);
});

test('a refused message is kept over a reload until it is deleted', async () => {
  const one = page();
  one.post('one');
  one.sent[0].reject({ code: 'too_long', message: 'too long' });
  await settled();
  const { sender, sent } = page();
  sender.restore();
  assert.deepEqual([sender.outbox[0].stage, sender.outbox[0].error, sent.length], [
    'failed',
    'too long',
    0,
  ]);
  sender.discard(sender.outbox[0].nonce);
  assert.equal(kept.size, 0);
});

test('a page takes over old messages of other tabs, and drops removed ones', (t) => {
  page(false).post('left');
  const { sender } = page();
  intervals.at(-1)();
  assert.deepEqual(texts(sender), [], 'its tab may be alive');
  t.mock.method(Date, 'now', () => 8.64e15);
  intervals.at(-1)();
  intervals.at(-1)();
  assert.deepEqual(texts(sender), ['left']);
  sender.lost();
  for (const act of listeners) act({ key: [...kept.keys()][0], newValue: null });
  assert.deepEqual(texts(sender), []);
});

test('a first message to a user moves to its new conversation', () => {
  const { state, sender } = page(false);
  sender.post(states.newConversation(state, 'Bob'), 'hello');
  const event = {
    type: 'direct',
    conversation: 'c',
    from: 'Bob',
    author: 2,
    to: 'Ada',
    text: 'hi',
    seq: 1,
    at: 0,
  };
  states.apply(state, event);
  sender.onEvent(event, () => false);
  assert.equal(JSON.parse([...kept.values()][0]).place.conversation, 'c');
});

test('a room that is not ready does not delay another', () => {
  const { state, sender, sent, post } = page();
  sender.post(states.channelRoom(state, 'far'), 'far');
  post('near');
  assert.deepEqual(sent.map(({ text }) => text), ['near']);
});

test('a lost message is sent again with its nonce, and fails after two closes', () => {
  const { sender, sent, post } = page();
  for (const text of ['one', 'two']) post(text);
  for (const rejected of [false, true, false, true]) {
    sender.lost(rejected);
    sender.flush();
  }
  assert.deepEqual(sent.map(({ text }) => text), ['one', 'one', 'one', 'one', 'two']);
  assert.equal(new Set(sent.slice(0, 4).map(({ nonce }) => nonce)).size, 1);
  assert.equal(sender.outbox[0].stage, 'failed');
});

test('a refused message is sent again on retry, and does not delay others', async () => {
  const { sender, sent, post } = page();
  for (const text of ['one', 'two']) post(text);
  sent[0].reject({ code: 'muted', message: 'muted' });
  await settled();
  assert.equal(sent.at(-1).text, 'two');
  sent.at(-1).resolve();
  await settled();
  sender.retry(sender.outbox[0].nonce);
  assert.equal(sent.at(-1).text, 'one');
});

test('in slow mode a message waits for its time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { sender, sent, post } = page();
  post('one');
  sent[0].reject({ code: 'slow', message: 'slow', retry_ms: 3000 });
  await settled();
  sender.flush();
  assert.equal(sent.length, 1);
  t.mock.timers.tick(3100);
  assert.deepEqual([sent.length, sent[1].nonce], [2, sent[0].nonce]);
});
