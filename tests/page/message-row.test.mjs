// One row of the feed: a message that can't be drawn is shown as plain text.

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** As much of a document as a row needs. */
const node = (tag) => ({
  tag,
  children: [],
  dataset: {},
  setAttribute() {},
  removeAttribute() {},
  getAttribute: () => null,
  addEventListener() {},
  append(...children) {
    this.children.push(...children);
  },
  get textContent() {
    return this.children.map((child) => child.textContent ?? child).join('');
  },
});
globalThis.document = { createElement: node };
const { content } = await import('../../www/views/message-row.js');

test('a message that can’t be drawn is shown as plain text', (t) => {
  t.mock.method(console, 'error', () => {});
  const does = { isUser: () => false };
  const shown = (row) =>
    content(node('div'), { head: false, own: false, number: 0, ...row }, 'Ada', does).map((one) =>
      one.textContent
    ).join('');
  const message = { from: 'Bob', text: 'hi *you*', at: 0 };
  assert.match(shown({ kind: 'message', message }), /^Bob: hi you/);
  assert.equal(shown({ kind: 'message', message: { ...message, at: NaN } }), 'Bob: hi *you*',
    'an invalid time');
  assert.equal(shown({ kind: 'message', message: { ...message, text: 7 } }), 'Bob: 7',
    'an invalid text');
  assert.equal(shown({ kind: 'day', at: NaN }), '');
});
