// Pure functions for reading: the visible range of a long room, joins and leaves, and read markers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rooms from '../../www/store/room.js';
import { MessageRange, rows } from '../../www/views/feed-rows.js';
import { t } from '../../www/texts/language.js';
import * as states from '../../www/store/state.js';

const message = (seq, more = {}) => ({
  type: 'message',
  channel: 'general',
  from: 'Bob',
  author: 2,
  text: `text ${seq}`,
  seq,
  at: 1000 * seq,
  ...more,
});
const range = (from, to) =>
  Array.from({ length: to - from + 1 }, (_, index) => message(from + index));

test('a long place shows a range that moves with the reader', () => {
  const span = new MessageRange();
  let messages = range(1, 50_000);
  assert.deepEqual(span.range(messages, true), [49_750, 50_000], 'the end');
  messages.push(message(50_001));
  assert.deepEqual(span.range(messages, true), [49_750, 50_001], 'it goes on');
  assert.equal(span.up(messages), true);
  const [from, to] = span.range(messages, false);
  assert.deepEqual([from, to], [49_550, 50_001]);
  for (let step = 0; step < 10; step += 1) span.up(messages);
  const [above, below] = span.range(messages, false);
  assert.ok(above === 47_550 && below < 50_000 && below - above <= 700, 'the far end is dropped');
  messages.push(message(50_002));
  assert.deepEqual(span.range(messages, false), [above, below], 'new messages do not move it');
  messages = range(-200, 0).concat(messages);
  assert.deepEqual(span.range(messages, false), [above + 201, below + 201],
    'earlier messages do not move it');
  while (span.down(messages));
  assert.equal(span.range(messages, false)[1], messages.length, 'and down again');
  span.end();
  assert.deepEqual(span.range(messages, true), [messages.length - 250, messages.length]);
  assert.deepEqual([
    new MessageRange().range([], true),
    new MessageRange().range(range(1, 3), true),
  ], [[0, 0], [0, 3]]);
});

test('a range without its messages starts over', () => {
  const span = new MessageRange();
  span.range(range(1, 100), false);
  assert.deepEqual(span.range(range(1, 3), false), [0, 3]);
  assert.equal(rooms.indexOf(range(5, 9), 7), 2);
});

test('a part of a place has rows, too', () => {
  const place = rooms.channel('general');
  rooms.replace(place, range(1, 9), 9, false);
  const kinds = (...part) =>
    rows(place, [], () => false, ...part).map(({ kind, message: one }) => one?.seq ?? kind).join(
      ' ',
    );
  assert.equal(kinds(), 'start day 1 2 3 4 5 6 7 8 9');
  assert.equal(kinds(2, 5), 'older day 3 4 5');
  rooms.changeMembers(place, ['Cleo'], [], 0);
  rooms.receive(place, message(10));
  rooms.changeMembers(place, ['Dan'], [], 0);
  assert.equal(kinds(7), 'older day 8 9 note 10 note');
  assert.equal(kinds(9), 'older note day 10 note');
  assert.equal(kinds(7, 9), 'older day 8 9', 'later messages wait');
});

test('consecutive joins and leaves share one note', () => {
  const words = (names) => t.feed.joined(names).join('');
  assert.equal(words(['A']), 'A joined');
  assert.equal(words(['A', 'B']), 'A and B joined');
  assert.equal(words(['A', 'B', 'C', 'D']), 'A, B, C, and D joined');
  assert.equal(words(['A', 'B', 'C', 'D', 'E', 'F']), 'A, B, C, and 3 others joined');
  assert.equal(t.sidebar.others(1), 'and 1 other');

  const place = rooms.channel('general');
  rooms.replace(place, range(1, 1), 1, false);
  rooms.changeMembers(place, ['A', 'B'], [], 0);
  rooms.changeMembers(place, ['C'], ['B'], 0);
  const [{ joined, left }] = place.notes;
  assert.deepEqual([[...joined], [...left], place.notes.length, [...place.members]], [
    ['A', 'C'],
    [],
    1,
    ['A', 'C'],
  ]);
});

test('a late joining note is above the first message', () => {
  const place = rooms.channel('general');
  rooms.replace(place, [message(1)], 1, false);
  for (const seq of [2, 3]) {
    rooms.noteSpeaker(place, message(seq, { from: 'Cleo' }));
    rooms.receive(place, message(seq, { from: 'Cleo' }));
  }
  rooms.changeMembers(place, ['Cleo'], [], 0);
  const kinds = () =>
    rows(place, [], () => false).map(({ kind, message: one }) => one?.seq ?? kind).join(' ');
  assert.equal(kinds(), 'start day 1 note 2 3');
  rooms.noteSpeaker(place, message(4, { from: 'Cleo' }));
  rooms.receive(place, message(4, { from: 'Cleo' }));
  rooms.changeMembers(place, ['Dan'], [], 0);
  assert.equal(kinds(), 'start day 1 note 2 3 4 note', 'known members have no joining note');
});

test('two users with one name are both marked', () => {
  const place = rooms.channel('general');
  rooms.replace(place, [message(1), message(2, { from: 'Ada', author: 3 })], 2, false);
  const marked = () =>
    rows(place, [], () => false).filter(({ number }) => number > 0).map((
      { message: one, number },
    ) => `${one.seq}: ${number}`);
  assert.deepEqual(marked(), []);
  rooms.receive(place, message(3, { author: 9 }));
  assert.deepEqual(marked(), ['1: 1', '3: 2'], 'in the order of the server');
  rooms.replace(place, [message(1, { from: 'constructor' }), message(2, { from: '__proto__' })], 2,
    false);
  assert.deepEqual(marked(), [], 'a property of objects is a valid name');
});

const WELCOME = {
  type: 'welcome',
  name: 'Ada',
  author: 1,
  session: 's',
  channels: [{ name: 'general', members: 2, seq: 5 }],
  users: ['Ada', 'Bob'],
  online: 2,
  directs: [],
  epoch: 'e',
  time: 0,
};

/** A page that opens general, with read markers from before. */
function opened({ marks = [], line = null, seq = 5, history = range(1, 5) } = {}) {
  const state = Object.assign(states.create(), { marks: new Map(marks), line });
  states.apply(state, WELCOME);
  states.open(state, states.channelRoom(state, 'general'));
  states.apply(state, {
    type: 'joined',
    channel: 'general',
    seq,
    first: 1,
    members: ['Ada', 'Bob'],
    count: 2,
    history,
    more: false,
  }, { type: 'join', channel: 'general' });
  return { state, place: states.openRoom(state) };
}

test('the line New is restored after a reload', () => {
  const table = [
    ['a first visit has none', {}, null, 5],
    ['messages since then are new', { marks: [['#general', 3]] }, 3, 3],
    ['all was read', { marks: [['#general', 5]] }, null, 5],
    [
      'it stands where it stood',
      { marks: [['#general', 5]], line: { key: '#general', after: 2 } },
      2,
      5,
    ],
    [
      'the line of another place does not count',
      { marks: [['#general', 5]], line: { key: '#garden', after: 2 } },
      null,
      5,
    ],
  ];
  for (const [name, kept, newAfter, read] of table) {
    const { place } = opened(kept);
    assert.deepEqual([place.newAfter, place.read], [newAfter, read], name);
  }
});

test('messages read in another tab are read', () => {
  const { state, place } = opened({ marks: [['#general', 3]] });
  states.readElsewhere(state, new Map([['#general', 5]]));
  assert.deepEqual([place.read, place.newAfter, rooms.unread(place)], [5, 5, 0]);
  states.readElsewhere(state, new Map([['#general', 1]]));
  assert.equal(place.read, 5, 'nothing becomes unread again');
});

test('a mention of the reader is remembered', () => {
  const { state, place } = opened({
    history: [message(1), message(2, { text: 'hello @ada' })],
    marks: [['#general', 1]],
  });
  assert.equal(rooms.isMentioned(place), true, 'also in missed messages');
  rooms.markRead(place);
  assert.equal(rooms.isMentioned(place), false);
  states.apply(state, message(6, { text: '@Ada!' }));
  assert.equal(rooms.isMentioned(place), true);
  rooms.markRead(place);
  states.apply(state, message(7, { text: '@Ada', author: 1, from: 'Ada' }));
  assert.equal(rooms.isMentioned(place), false, 'not by oneself');
});

test('members are updated by events', () => {
  const { state, place } = opened();
  const members = (joined, left, count) =>
    states.apply(state, { type: 'members', channel: 'general', joined, left, count }, null, 9);
  assert.deepEqual([...place.members], ['Ada', 'Bob']);
  assert.deepEqual(members(['Cleo'], ['Bob'], 2), []);
  assert.deepEqual([[...place.members], place.notes.length], [['Ada', 'Cleo'], 1]);
  assert.deepEqual(JSON.parse(JSON.stringify(members([], [], 3))), [{
    type: 'who',
    channel: 'general',
  }], 'a list that can’t be right is requested');
  states.apply(state, {
    type: 'users',
    channel: 'general',
    users: ['Ada', 'Cleo', 'Dan'],
    count: 3,
  });
  assert.deepEqual([...place.members], ['Ada', 'Cleo', 'Dan']);
  states.apply(state, { type: 'renamed', from: 'Dan', to: 'Daniel' });
  assert.equal(place.members.has('Daniel'), true);
});

test('redundant entries of a member change leave no note', () => {
  const room = rooms.channel('general');
  rooms.replace(room, range(1, 1), 1, false);
  rooms.changeMembers(room, ['A'], [], 0);
  room.notes = [];
  rooms.changeMembers(room, ['A'], ['B'], 0);
  assert.deepEqual([room.notes, [...room.members]], [[], ['A']]);
  rooms.changeMembers(room, ['A'], ['A'], 0); // left and came back
  assert.deepEqual([room.notes.map(({ joined, left }) => joined.size + left.size), [
    ...room.members,
  ]], [[0], ['A']]);
});

test('a rename is a note in the rooms of that user, in order', () => {
  const state = states.create();
  const [garden, other] = ['garden', 'other'].map((name) => states.channelRoom(state, name));
  for (const room of [garden, other]) rooms.replace(room, range(1, 1), 1, false);
  garden.members = new Set(['Ada']);
  for (const [from, to] of [['Ada', 'Eve'], ['Eve', 'Ada'], ['Ada', 'Eve']])
    states.apply(state, { type: 'renamed', from, to });
  const notes = (room, options) =>
    rows(room, [], () => false, 0, undefined, { unfolded: () => true, ...options }).filter((
      { kind },
    ) => kind === 'note');
  assert.deepEqual(notes(garden).map(({ from, to }) => `${from} ${to}`), [
    'Ada Eve',
    'Eve Ada',
    'Ada Eve',
  ]);
  assert.deepEqual(notes(garden, { unfolded: () => false }), [], 'three in a row are folded');
  assert.equal(new Set(notes(garden).map(({ key }) => key)).size, 3);
  assert.deepEqual(notes(other), []);
  rooms.receive(garden, range(2, 2)[0]);
  rooms.changeMembers(garden, ['Bob'], [], 0);
  assert.equal(notes(garden).length, 4);
  assert.equal(notes(garden, { joins: true }).length, 3, 'joins are hidden, a new name is not');
});

test('a muted channel notifies of mentions only', () => {
  const state = states.create();
  const room = states.channelRoom(state, 'garden');
  Object.assign(room, { known: 3, read: 1 });
  assert.equal(states.news(state, room), 2);
  state.muted.add('#garden');
  assert.equal(states.news(state, room), 0);
  room.mentioned = 3;
  assert.equal(states.news(state, room), 1);
});

test('a channel is new until it is joined, removed or seen', () => {
  const state = states.create();
  states.apply(state, { type: 'channels_changed', created: ['garden', 'kitchen'], gone: [] });
  assert.deepEqual([...state.newChannels], ['garden', 'kitchen']);
  states.apply(state, { type: 'channels_changed', created: [], gone: ['kitchen'] });
  states.apply(state, {
    type: 'joined',
    channel: 'garden',
    seq: 0,
    first: 1,
    history: [],
    more: false,
    members: [],
    count: 1,
  });
  assert.equal(state.newChannels.size, 0);
});
