// The page's state after a list of events, and the commands that it sends then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as states from '../../www/store/state.js';

const WELCOME = {
  type: 'welcome',
  name: 'Ada',
  author: 1,
  session: 's',
  channels: [{ name: 'general', members: 2, seq: 3 }],
  users: ['Ada', 'Bob'],
  online: 2,
  directs: [],
  limits: { text: 4000, message_bytes: 65536 },
  epoch: 'e',
  time: 0,
  server: 'parlor 0',
};
const message = (seq, more) => ({
  type: 'message',
  channel: 'general',
  from: 'Bob',
  author: 2,
  text: `text ${seq}`,
  seq,
  at: seq,
  ...more,
});
const direct = (seq, more) => ({
  type: 'direct',
  conversation: 'c',
  from: 'Bob',
  author: 2,
  to: 'Ada',
  text: `text ${seq}`,
  seq,
  at: seq,
  ...more,
});
const joined = (seq, history, more) => ({
  type: 'joined',
  channel: 'general',
  seq,
  first: 1,
  members: ['Ada'],
  count: 1,
  history,
  more: false,
  ...more,
});

/** A state in `general` with three messages. */
function entered(welcome = {}) {
  const state = states.create();
  states.apply(state, { ...WELCOME, ...welcome });
  states.open(state, states.channelRoom(state, 'general'));
  states.apply(state, joined(3, [message(1), message(2), message(3)]), {
    type: 'join',
    channel: 'general',
  });
  return state;
}

const texts = (place) => place.messages.map(({ seq }) => seq).join(' ');
const asked = (commands) => commands.map((command) => JSON.parse(JSON.stringify(command)));
const named = (state, name) => states.people(state).filter((place) => place.name === name);

test('welcome is followed by a join of every wanted channel', () => {
  const state = states.create();
  state.wanted.add('garden');
  assert.deepEqual(asked(states.apply(state, WELCOME)), [{ type: 'join', channel: 'general' }, {
    type: 'join',
    channel: 'garden',
  }]);
  assert.deepEqual([state.me.name, state.me.author, state.online, [...state.users]], ['Ada', 1, 2, [
    'Ada',
    'Bob',
  ]]);
});

test('a reconnect requests missed messages only', () => {
  const state = entered();
  states.apply(state, direct(1));
  const directs = [{ conversation: 'c', with: 'Bob', seq: 4, online: true }];
  assert.deepEqual(asked(states.apply(state, { ...WELCOME, directs })), [
    { type: 'join', channel: 'general', since: 3 },
    { type: 'history', conversation: 'c', after: 1, limit: 200 },
  ]);
  const more = states.apply(state, joined(9, [message(4), message(5)], { more: true }), {
    type: 'join',
    channel: 'general',
    since: 3,
  });
  assert.deepEqual(asked(more), [{ type: 'history', channel: 'general', after: 5, limit: 200 }]);
  const last = {
    type: 'history',
    channel: 'general',
    messages: [message(6), message(7), message(8), message(9)],
    more: false,
    first: 1,
  };
  assert.deepEqual(states.apply(state, last, more[0]), []);
  assert.equal(texts(states.openRoom(state)), '1 2 3 4 5 6 7 8 9');
});

test('messages missed without a connection are notified once', () => {
  const state = entered();
  states.apply(state, direct(1));
  const seqs = () =>
    state.missed.splice(0).map(([place, { seq }]) => `${place.name} ${seq}`).join(', ');
  assert.equal(seqs(), '', 'messages of the first visit and live messages do not count');
  const directs = [{ conversation: 'c', with: 'Bob', seq: 2, online: true }, {
    conversation: 'd',
    with: 'Cleo',
    seq: 1,
    online: true,
  }];
  const commands = states.apply(state, { ...WELCOME, directs });
  assert.deepEqual(asked(commands).slice(1), [{
    type: 'history',
    conversation: 'c',
    after: 1,
    limit: 200,
  }, { type: 'history', conversation: 'd' }]);
  states.apply(state, message(7)); // by itself, before the answer
  states.apply(state, joined(7, [message(4), message(5, { author: 1 }), message(6), message(7)]),
    commands[0]);
  assert.equal(seqs(), 'general 4, general 6', 'own and live messages do not count');
  states.apply(state, {
    type: 'history',
    conversation: 'c',
    messages: [direct(2)],
    more: false,
    first: 1,
  }, commands[1]);
  states.apply(state, {
    type: 'history',
    conversation: 'd',
    messages: [direct(1, { conversation: 'd', from: 'Cleo', author: 3 })],
    more: false,
    first: 1,
  }, commands[2]);
  assert.equal(seqs(), 'Bob 2, Cleo 1', 'also a new conversation');
  states.apply(state, { ...WELCOME, directs });
  states.apply(state, joined(7, []), commands[0]);
  assert.equal(seqs(), '');
});

test('a page that missed many messages begins with the newest', () => {
  const state = entered();
  const commands = states.apply(state, {
    ...WELCOME,
    channels: [{ name: 'general', members: 1, seq: 100_000 }],
  });
  assert.deepEqual(asked(commands), [{ type: 'join', channel: 'general' }]);
  states.apply(state, joined(100_000, [message(99_999), message(100_000)], { more: true }),
    commands[0]);
  const place = states.openRoom(state);
  assert.deepEqual([texts(place), place.older], ['99999 100000', true]);
});

test('another epoch clears numbers and conversations', () => {
  const state = entered();
  states.apply(state, direct(1));
  const place = named(state, 'Bob')[0];
  assert.equal(place.conversation, 'c');
  assert.deepEqual(asked(states.apply(state, { ...WELCOME, epoch: 'f', author: 7 })), [{
    type: 'join',
    channel: 'general',
  }]);
  assert.deepEqual([texts(states.openRoom(state)), place.conversation, place.messages.length], [
    '',
    null,
    0,
  ]);
});

test('another session in the same epoch clears conversations only', () => {
  const state = entered();
  states.apply(state, direct(1));
  const commands = states.apply(state, { ...WELCOME, author: 7 });
  assert.deepEqual(asked(commands), [{ type: 'join', channel: 'general', since: 3 }]);
  assert.equal(named(state, 'Bob')[0].conversation, null);
});

test('a gap is requested once', () => {
  const state = entered();
  assert.deepEqual(asked(states.apply(state, message(6))), [{
    type: 'history',
    channel: 'general',
    after: 3,
    limit: 200,
  }]);
  assert.deepEqual(states.apply(state, message(7)), []);
});

test('messages of other users out of sight are unread', () => {
  const state = entered();
  const general = states.openRoom(state);
  const unread = (place) => Math.max(0, place.known - place.read);
  assert.equal(unread(general), 0, 'messages before the first visit are not new');
  states.apply(state, message(4));
  states.apply(state, message(5));
  assert.equal(unread(general), 2);
  general.read = 5;
  states.apply(state, message(6, { author: 1, from: 'Ada' }));
  assert.equal(unread(general), 0);
  states.apply(state, direct(1));
  assert.equal(unread(named(state, 'Bob')[0]), 1);
});

test('messages read before a reload are not new after it', () => {
  const state = states.create();
  state.marks = new Map([['#general', 1], ['=c', 4]]);
  states.apply(state, {
    ...WELCOME,
    directs: [{ conversation: 'c', with: 'Bob', seq: 5, online: true }],
  });
  states.apply(state, joined(3, [message(1), message(2), message(3)]), {
    type: 'join',
    channel: 'general',
  });
  assert.deepEqual([states.channelRoom(state, 'general').read, named(state, 'Bob')[0].read], [
    1,
    4,
  ]);
});

test('a first message to a user creates the conversation', () => {
  const table = [
    ['the message comes before its ack', ['direct', 'ack']],
    ['only the ack comes (it was sent before the connection was lost)', ['ack', 'direct']],
  ];
  for (const [name, order] of table) {
    const state = entered();
    const place = states.personRoom(state, 'Bob');
    states.open(state, place);
    for (const type of order) {
      if (type === 'direct') states.apply(state, direct(1, { from: 'Ada', author: 1, to: 'Bob' }));
      else states.apply(state, { type: 'ack', conversation: 'c', to: 'Bob', seq: 1, at: 0 }, {
          type: 'direct',
          to: 'Bob',
        });
    }
    assert.equal(states.openRoom(state), place, name);
    assert.deepEqual([place.conversation, texts(place)], ['c', '1'], name);
    assert.equal(named(state, 'Bob').length, 1, name);
  }
});

test('a draft under another spelling opens the existing conversation', () => {
  const state = entered();
  const place = states.personRoom(state, 'bob');
  states.open(state, place);
  states.apply(state, direct(1, { from: 'Ada', author: 1, to: 'Bob' }));
  states.apply(state, { type: 'ack', conversation: 'c', to: 'Bob', seq: 1, at: 0 }, {
    type: 'direct',
    to: 'bob',
  });
  const open = states.openRoom(state);
  assert.deepEqual([open.name, open.conversation], ['Bob', 'c']);
  assert.deepEqual(state.merged, [[place.key, open.key]], 'the old key is reported');
  assert.deepEqual(states.people(state), [open]);
});

test('a new user with the name of an offline user is another user', () => {
  const directs = [{ conversation: 'c', with: 'Bob', seq: 2, online: false }];
  const state = entered({ directs });
  const stranger = states.personRoom(state, 'Bob');
  assert.equal(stranger.conversation, null,
    'a Bob is online, but not the one of this conversation');
  states.open(state, stranger);
  states.apply(state, direct(1, { conversation: 'd' }));
  assert.deepEqual(named(state, 'Bob').map(({ conversation }) => conversation).sort(), ['c', 'd']);

  const away = entered({ directs, users: ['Ada'], online: 1 });
  assert.equal(states.personRoom(away, 'bob').conversation, 'c',
    'the name is free, so it means its last owner');
});

test('users come, leave and change names', () => {
  const state = entered({ directs: [{ conversation: 'c', with: 'Bob', seq: 2, online: true }] });
  const [bob] = states.people(state);
  states.apply(state, { type: 'presence', joined: ['Cleo'], left: ['Bob'], online: 2 });
  assert.deepEqual([[...state.users].sort(), bob.online, state.staleUsers], [
    ['Ada', 'Cleo'],
    false,
    false,
  ]);
  states.apply(state, { type: 'presence', joined: ['Bob'], left: ['Bob'], online: 3 });
  assert.deepEqual([state.users.has('Bob'), bob.online], [true, null],
    'left applies first; the new Bob may be another user');
  states.apply(state, direct(3));
  assert.equal(bob.online, true, 'his message shows that it is him');
  states.apply(state, { type: 'renamed', from: 'Bob', to: 'Robert' });
  assert.deepEqual([bob.name, state.users.has('Robert'), state.users.has('Bob')], [
    'Robert',
    true,
    false,
  ]);
  states.apply(state, { type: 'renamed', from: 'Ada', to: 'Lovelace' });
  assert.equal(state.me.name, 'Lovelace', 'another own tab did it');
});

test('a list that can’t be right is requested again', () => {
  const table = [
    ['names and number agree', { joined: ['Cleo'], left: [], online: 3 }, false],
    ['told twice', { joined: ['Bob'], left: [], online: 2 }, false],
    ['the number is another one', { joined: ['Cleo'], left: [], online: 9 }, true],
    ['too many names for a list', { joined: [], left: [], online: 2 }, true],
  ];
  for (const [name, event, stale] of table) {
    const state = entered();
    states.apply(state, { type: 'presence', ...event });
    assert.equal(state.staleUsers, stale, name);
    states.apply(state, { type: 'users', users: ['Ada'], count: 1 });
    assert.deepEqual([state.staleUsers, state.online, state.users.size], [false, 1, 1], name);
  }
});

test('channels are created and removed', () => {
  const state = entered();
  states.apply(state, { type: 'channels_changed', created: ['garden', 'kitchen'], gone: [] });
  states.apply(state, { type: 'channels_changed', created: [], gone: ['garden'] });
  assert.deepEqual([...state.channels.keys()], ['general', 'kitchen']);
  assert.deepEqual(asked(states.apply(state, { type: 'channels_changed', created: [], gone: [] })),
    [{ type: 'channels' }]);
  states.apply(state, { type: 'members', channel: 'general', joined: ['x'], left: [], count: 7 });
  assert.equal(state.channels.get('general'), 7);
});

test('a channel has the name that the server sends', () => {
  const state = entered();
  states.open(state, states.channelRoom(state, 'Garden'));
  states.apply(state, joined(0, [], { channel: 'garden' }), { type: 'join', channel: 'Garden' });
  assert.deepEqual([state.open, [...state.wanted]], ['#garden', ['general', 'garden']]);
  assert.equal(state.rooms.has('#Garden'), false);
});

test('leaving the open channel opens general', () => {
  const state = entered();
  states.open(state, states.channelRoom(state, 'garden'));
  states.apply(state, joined(0, [], { channel: 'garden' }), { type: 'join', channel: 'garden' });
  states.apply(state, { type: 'left', channel: 'garden' }, { type: 'leave', channel: 'garden' });
  assert.deepEqual([state.open, [...state.wanted]], ['#general', ['general']]);
});

test('an empty draft is removed when it is closed', () => {
  const state = entered();
  const place = states.personRoom(state, 'Bob');
  states.open(state, place);
  assert.equal(states.people(state).length, 1);
  states.open(state, states.channelRoom(state, 'general'));
  assert.equal(states.people(state).length, 0);
  states.open(state, Object.assign(states.personRoom(state, 'Bob'), { pinned: true }));
  states.open(state, states.channelRoom(state, 'general'));
  assert.equal(states.people(state).length, 1, 'a message is to be sent there');
});

test('earlier messages are requested once, and again after a failure', () => {
  const state = entered();
  const place = states.openRoom(state);
  assert.deepEqual(states.older(place), [], 'the first message has no earlier ones');
  place.older = true;
  const [command] = states.older(place);
  assert.deepEqual(asked([command]), [{ type: 'history', channel: 'general', before: 1 }]);
  assert.deepEqual(states.older(place), []);
  states.apply(state, { type: 'error', code: 'storage_failed', message: '' }, command);
  assert.equal(states.older(place).length, 1);
});

test('a channel that can’t be joined is not retried', () => {
  const state = entered();
  state.wanted.add('full');
  states.apply(state, { type: 'error', code: 'too_many_channels', message: '' }, {
    type: 'join',
    channel: 'full',
  });
  assert.equal(state.wanted.has('full'), false);
});

test('typing users are shown for a limited time', () => {
  const state = entered();
  const place = states.openRoom(state);
  states.apply(state, { type: 'typing', channel: 'general', user: 'Bob' }, null, 1000);
  assert.deepEqual([...place.typing], [['Bob', 6000]]);
  states.apply(state, message(4));
  assert.equal(place.typing.size, 0, 'it is written');
  states.apply(state, { type: 'typing', channel: 'elsewhere', user: 'Bob' });
  states.apply(state, { type: 'typing', conversation: 'unknown', user: 'Bob' });
});

test('an unknown event changes nothing, but its number counts', () => {
  const state = entered();
  const place = states.openRoom(state);
  assert.deepEqual(states.apply(state, { type: 'weather', text: 'rain' }), []);
  assert.deepEqual(states.apply(state, { type: 'edited', channel: 'general', seq: 4 }), []);
  assert.deepEqual(states.apply(state, message(5)), [], 'no gap');
  assert.equal(place.newest, 5);
});

test('settings of an owner are applied', () => {
  const state = entered({ door: false });
  assert.deepEqual([state.door, state.owner], [false, null]);
  const until = (list) => [...list].join(' ');
  // the reader's own; only owners have lists
  states.apply(state, { type: 'muted', user: 'Ada', until: 5 });
  states.apply(state, { type: 'owned', on: true, muted: [{ user: 'Bob', until: 9 }], kicked: [] });
  states.apply(state, { type: 'kicked', user: 'Cleo', until: 7 });
  states.apply(state, { type: 'muted', user: 'Bob', until: 0 });
  assert.deepEqual([until(state.owner.muted), until(state.owner.kicked)], ['', 'Cleo,7']);
  states.apply(state, { type: 'door', open: true });
  states.apply(state, { type: 'channel_changed', channel: 'general', writing: 'owner', pinned: 2 });
  const place = states.openRoom(state);
  assert.deepEqual([state.door, place.writing, place.pin], [true, 'owner', 2]);
  states.apply(state, { type: 'cleared', channel: 'general', first: 4 });
  assert.deepEqual([texts(place), place.pin, place.known], ['', null, 3]);
  states.apply(state, { type: 'owned', on: false, muted: [], kicked: [] });
  assert.equal(state.owner, null);
  states.apply(state, { ...WELCOME, door: true });
  states.apply(state, joined(9, [message(9)], { writing: 30, pinned: 9 }), {
    type: 'join',
    channel: 'general',
  });
  assert.deepEqual([place.writing, place.pin], [30, 9]);
});

test('missed changes are applied to messages of the page', () => {
  const state = entered();
  const [ask] = states.apply(state, {
    ...WELCOME,
    channels: [{ name: 'general', members: 2, seq: 6 }],
  });
  const change = (type, seq, of, more) => ({ type, channel: 'general', seq, of, at: seq, ...more });
  states.apply(state, joined(6, [
    change('edited', 4, 1, { text: 'better' }),
    change('deleted', 5, 2, { by: 'Bob' }),
    change('reacted', 6, 3, { emoji: '👍', on: true, author: 1 }),
  ]), ask);
  const [one, two, three] = states.openRoom(state).messages;
  assert.deepEqual([one.text, two.type, two.text, three.reactions], [
    'better',
    'deleted_message',
    undefined,
    [{ emoji: '👍', count: 1, mine: true }],
  ]);
  assert.equal(states.openRoom(state).known, 6);
});
