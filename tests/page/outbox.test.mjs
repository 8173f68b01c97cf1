// What is not yet sent: in order, one at a time, never lost, never twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as outbox from '../../www/store/outbox.js';

const always = () => true;

function filled(...texts) {
  const box = [];
  for (const text of texts) outbox.add(box, { nonce: `nonce of ${text}`, key: '#general', conversation: null, text, at: 0 });
  return box;
}

test('one at a time, in the order in which it was written', () => {
  const box = filled('a', 'b');
  const first = outbox.next(box, always);
  assert.equal(first.text, 'a');
  first.stage = 'sending';
  assert.equal(outbox.next(box, always), null, 'b waits for a');
  assert.equal(outbox.settle(box, first.nonce), first);
  assert.equal(outbox.next(box, always).text, 'b');
});

test('a place that is not ready does not hold up another', () => {
  const box = filled('a', 'b');
  box[0].key = '#far';
  assert.equal(outbox.next(box, ({ key }) => key !== '#far').text, 'b');
});

test('after a loss the same nonce goes out again', () => {
  const box = filled('a', 'b');
  const { nonce } = Object.assign(outbox.next(box, always), { stage: 'sending' });
  outbox.lost(box);
  assert.equal(outbox.next(box, always).nonce, nonce);
});

test('settled once, by whichever comes first: its ack or itself', () => {
  const box = filled('a');
  assert.ok(outbox.settle(box, 'nonce of a'));
  assert.equal(outbox.settle(box, 'nonce of a'), null);
  assert.equal(outbox.settle(box, 'of another tab'), null);
});

test('a refused message stays until it is retried or deleted', () => {
  const box = filled('a', 'b');
  outbox.fail(box, 'nonce of a', 'no');
  assert.deepEqual([box[0].stage, box[0].error], ['failed', 'no']);
  assert.equal(outbox.next(box, always).text, 'b', 'the others go on');
  outbox.retry(box, 'nonce of a', 'c');
  assert.deepEqual([outbox.next(box, always).text, box[0].conversation], ['a', 'c']);
  outbox.fail(box, 'unknown', 'no');
  outbox.retry(box, 'unknown');
});

test('a place that becomes another takes its texts with it', () => {
  const box = filled('a', 'b');
  box[0].key = '@1';
  outbox.move(box, '@1', '@2');
  assert.deepEqual(outbox.pending(box, '@2').map(({ text }) => text), ['a']);
  assert.deepEqual(outbox.pending(box, '#general').map(({ text }) => text), ['b']);
});

test('a message that closes the connection twice is not sent, and the next one is', () => {
  const entries = [];
  for (const nonce of ['a', 'b']) outbox.add(entries, { nonce, key: '#general', conversation: null, text: nonce, at: 0 });
  const send = () => { outbox.next(entries, () => true).stage = 'sending'; };
  for (const rejected of [false, true, false]) {
    send();
    outbox.lost(entries, rejected, 'too large');
    assert.equal(entries[0].stage, 'waiting');
  }
  send();
  outbox.lost(entries, true, 'too large');
  assert.deepEqual([entries[0].stage, entries[0].error], ['failed', 'too large']);
  assert.equal(outbox.next(entries, () => true).nonce, 'b');
});
