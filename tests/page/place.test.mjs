// The messages of a place: in order, none missing, none twice, in any order of arrival.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rooms from '../../www/store/room.js';

const message = (seq) => ({
  type: 'message',
  channel: 'general',
  from: 'Ada',
  author: 1,
  text: `text ${seq}`,
  seq,
  at: 1000 * seq,
});
const range = (from, to) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => message(from + index));
const edited = (seq, of, text) => ({ type: 'edited', channel: 'general', seq, of, text, at: seq });
const reacted = (seq, of, on = true, mine = false) => ({
  type: 'reacted',
  channel: 'general',
  seq,
  of,
  emoji: '👍',
  on,
  mine,
  author: seq,
});
const deleted = (seq, of) => ({ type: 'deleted', channel: 'general', seq, of, by: 'Ada', at: seq });
const seqs = (place) => place.messages.map(({ seq }) => seq).join(' ');

function loaded(from, to) {
  const place = rooms.channel('general');
  rooms.replace(place, range(from, to), to, from > 1);
  return place;
}

test('live messages are added once', () => {
  const table = [
    ['the next one is appended', [4], '1 2 3 4', false],
    ['a known message is skipped', [3], '1 2 3', false],
    ['a message after a gap waits, and the gap is requested', [5], '1 2 3', true],
    ['a late message fills the gap', [5, 4], '1 2 3 4 5', false],
    ['two gaps, filled in the wrong order', [7, 5, 6, 4], '1 2 3 4 5 6 7', false],
    ['the same message twice after a gap', [5, 5, 4], '1 2 3 4 5', false],
  ];
  for (const [name, arrived, expected, gap] of table) {
    const place = loaded(1, 3);
    const gaps = arrived.map((seq) => rooms.receive(place, message(seq)));
    assert.equal(seqs(place), expected, name);
    assert.equal(gaps.at(-1), gap, name);
    assert.equal(place.known, Math.max(3, ...arrived), name);
  }
});

test('missed messages come in pages', () => {
  const table = [
    ['a page that reaches the end', range(4, 6), false, 1, 6, '1 2 3 4 5 6', false],
    ['a page with more pages after it', range(4, 5), true, 1, 9, '1 2 3 4 5', true],
    ['a page that overlaps', range(2, 5), false, 1, 5, '1 2 3 4 5', false],
    ['nothing new', [], false, 1, 3, '1 2 3', false],
    [
      'the server no longer keeps the messages between',
      range(7, 8),
      false,
      7,
      8,
      '1 2 3 7 8',
      false,
    ],
    ['nothing is kept at all', [], false, 9, 8, '1 2 3', false],
  ];
  for (const [name, page, more, first, upTo, expected, again] of table) {
    const place = loaded(1, 3);
    assert.equal(rooms.append(place, page, more, first, upTo), again, name);
    assert.equal(seqs(place), expected, name);
    if (!more) assert.equal(place.newest, upTo, name);
  }
});

test('live messages run ahead of the pages and find their place', () => {
  const place = loaded(1, 3);
  place.filling = true;
  assert.equal(rooms.receive(place, message(8)), false, 'a page is already requested');
  assert.equal(rooms.append(place, range(4, 5), true, 1), true);
  assert.equal(rooms.receive(place, message(9)), false);
  assert.equal(rooms.append(place, range(6, 7), false, 1), false);
  assert.equal(seqs(place), '1 2 3 4 5 6 7 8 9');
  assert.equal(place.filling, false);
});

test('a gap that the server can’t fill is not requested again', () => {
  const place = loaded(1, 3);
  rooms.receive(place, message(9));
  assert.equal(rooms.append(place, [], false, 1), false);
  assert.equal(seqs(place), '1 2 3 9');
});

test('a place that was not opened counts new messages', () => {
  const closed = rooms.channel('general');
  rooms.receive(closed, message(7));
  assert.deepEqual([closed.messages.length, closed.known], [0, 7], 'only the number counts');

  const fresh = rooms.person('@1', 'Bob', 'c');
  rooms.receive(fresh, message(1));
  assert.deepEqual([seqs(fresh), fresh.loaded], ['1', true],
    'the first message is the whole history');

  const loading = rooms.channel('general');
  loading.filling = true;
  rooms.receive(loading, message(52));
  rooms.replace(loading, range(2, 51), 51, true);
  assert.equal(loading.newest, 52, 'a message that arrives before the first page is kept');
});

test('earlier pages are put before later ones', () => {
  const place = loaded(6, 8);
  place.fetchingOlder = true;
  rooms.prepend(place, range(3, 6), true);
  assert.deepEqual([seqs(place), place.older, place.fetchingOlder], ['3 4 5 6 7 8', true, false]);
  rooms.prepend(place, range(1, 2), false);
  assert.deepEqual([seqs(place), place.older], ['1 2 3 4 5 6 7 8', false]);
});

test('hidden messages are trimmed and can be fetched again', () => {
  const place = loaded(1, 10);
  rooms.trim(place, 20);
  assert.equal(place.older, false);
  rooms.trim(place, 4);
  assert.deepEqual([seqs(place), place.older], ['7 8 9 10', true]);
});

test('any order of live messages and pages gives the same place', () => {
  // A simulated network: pages of 3, live messages that may overtake them, some twice.
  let seed = 1;
  const below = (most) => (seed = (seed * 48_271) % 2_147_483_647) % most;
  for (let round = 0; round < 500; round += 1) {
    const place = loaded(1, 1 + below(5));
    const end = place.newest + below(20);
    const live = range(place.newest + 1, end).filter(() => below(3) > 0).sort(() => below(3) - 1);
    let asks = 0;
    const ask = () => {
      asks += 1;
      assert.ok(asks < 50, 'asks for ever');
      const page = range(place.newest + 1, end).slice(0, 3);
      if (rooms.append(place, page, place.newest + page.length < end, 1)) ask();
    };
    for (const one of live) {
      if (rooms.receive(place, one)) ask();
      if (below(4) === 0) rooms.receive(place, one);
    }
    place.filling = true;
    ask();
    assert.equal(seqs(place), range(1, end).map(({ seq }) => seq).join(' '));
    assert.deepEqual([place.ahead.size, place.filling], [0, false]);
  }
});

test('events about a message change it, count as numbers, and keep no text', () => {
  const place = loaded(1, 3);
  for (const event of [
    edited(4, 2, 'better'),
    reacted(5, 2),
    reacted(6, 2, true, true),
    reacted(7, 3),
    reacted(8, 3, false),
  ]) rooms.receive(place, event);
  assert.equal(seqs(place), '1 2 3 4 5 6 7 8');
  assert.deepEqual([rooms.find(place, 2).text, rooms.find(place, 2).edited_at], ['better', 4]);
  assert.deepEqual(rooms.find(place, 2).reactions, [{ emoji: '👍', count: 2, mine: true }]);
  assert.deepEqual(rooms.find(place, 3).reactions, []);
  assert.equal(rooms.find(place, 4).text, undefined);
  rooms.find(place, 3).owner = true;
  rooms.receive(place, edited(9, 3, 'no owner now'));
  assert.equal(rooms.find(place, 3).owner, undefined);
  rooms.receive(place, deleted(10, 2));
  assert.ok(!JSON.stringify(place.messages).includes('better'));
  assert.equal(rooms.find(place, 2).type, 'deleted_message');
  assert.equal(place.deleted.get(2), 'Ada');
});

test('reactions in the history are not counted again by their events', () => {
  const place = loaded(5, 8);
  rooms.receive(place, reacted(9, 4)); // about a message that the page doesn't have
  rooms.prepend(place, [{ ...message(4), reactions: [{ emoji: '👍', count: 1, mine: false }] }],
    false);
  assert.equal(rooms.find(place, 4).reactions[0].count, 1);
  rooms.append(place, [reacted(10, 4)], false, 1, 10); // missed without a connection
  assert.equal(rooms.find(place, 4).reactions[0].count, 2);
  const again = rooms.channel('general');
  rooms.replace(again, [
    { ...message(4), reactions: [{ emoji: '👍', count: 1, mine: false }] },
    reacted(5, 4),
  ], 5, true);
  assert.equal(rooms.find(again, 4).reactions[0].count, 1);
});

test('an earlier edit does not change a text from the history', () => {
  const place = loaded(8, 9);
  rooms.prepend(place, [
    { ...message(4), text: 'newest', owner: true, edited_at: 7 },
    edited(5, 4, 'newest'),
  ], false);
  const { owner, edited_at: at } = rooms.find(place, 4);
  assert.deepEqual([owner, at], [true, 7]);
});

test('events that are no messages are not unread', () => {
  const place = loaded(1, 3);
  rooms.markRead(place);
  for (const event of [reacted(4, 1), message(5), reacted(6, 5), deleted(7, 1)])
    rooms.receive(place, event);
  assert.equal(rooms.unread(place), 1);
  rooms.markRead(place);
  assert.equal(rooms.unread(place), 0);
});

test('a part of the history joins the newest messages when it reaches them', () => {
  const place = loaded(101, 110);
  rooms.showPast(place, range(11, 20), true);
  assert.deepEqual([seqs(place.past), place.past.newer, seqs(place)], [
    seqs({ messages: range(11, 20) }),
    true,
    seqs({ messages: range(101, 110) }),
  ]);
  rooms.receive(place, edited(111, 15, 'also changed there'));
  assert.equal(rooms.find(place, 15).text, 'also changed there');
  rooms.prepend(place.past, range(1, 10), false);
  rooms.extendPast(place, range(21, 105));
  assert.equal(place.past, null);
  assert.deepEqual([seqs(place), place.older], [seqs({ messages: range(1, 111) }), false]);
});

test('a cleared channel continues its numbers', () => {
  const place = loaded(1, 3);
  Object.assign(place, { pin: 2 });
  rooms.clear(place, 4);
  assert.deepEqual([seqs(place), place.newest, place.known, place.older, place.pin], [
    '',
    3,
    3,
    false,
    null,
  ]);
  rooms.receive(place, message(4));
  assert.equal(seqs(place), '4');
});
