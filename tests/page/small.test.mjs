// The small pure parts, each a table: pauses, addresses, typed lines, sentences, letters, rows.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as address from '../../www/texts/address.js';
import { hue, initial } from '../../www/views/avatar.js';
import { marked } from '../../www/texts/mark.js';
import { pauseMs } from '../../www/connection/connection.js';
import { qrRows } from '../../www/texts/qr.js';
import * as lines from '../../www/texts/commands.js';
import * as rooms from '../../www/store/room.js';
import * as protocol from '../../www/connection/protocol.js';
import { rows } from '../../www/views/feed-rows.js';

test('pauses are random up to a limit that doubles', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 100, 1e9].map((attempt) => pauseMs(attempt, 0.9999999));
  assert.deepEqual(longest, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000]);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    assert.equal(pauseMs(attempt, 0), 0);
    assert.equal(pauseMs(attempt, 0.5), Math.min(15_000, 500 * 2 ** attempt));
  }
});

test('addresses are parsed', () => {
  const table = [
    ['#general', { kind: 'channel', name: 'general' }],
    ['#general/842', { kind: 'channel', name: 'general', seq: 842 }],
    ['#gr%C3%BCn/1', { kind: 'channel', name: 'grün', seq: 1 }],
    ['#general/x', { kind: 'channel', name: 'general/x' }],
    ['general', { kind: 'channel', name: 'general' }],
    ['#@Ada', { kind: 'person', name: 'Ada' }],
    ['#gr%C3%BCn', { kind: 'channel', name: 'grün' }],
    ['#@J%C3%BCrgen', { kind: 'person', name: 'Jürgen' }],
    ['#%40Ada', { kind: 'person', name: 'Ada' }],
    ['', null],
    ['#', null],
    ['#@', null],
    ['#%C3', null],
    ['#%', null],
  ];
  for (const [hash, expected] of table) assert.deepEqual(address.parse(hash), expected, hash);
  for (const place of [
    rooms.channel('general'),
    rooms.channel('grün.2'),
    rooms.person('@1', 'Jürgen'),
  ]) {
    assert.deepEqual(address.parse(address.of(place)), { kind: place.kind, name: place.name });
  }
  assert.equal(address.of(rooms.channel('grün'), 7), '#gr%C3%BCn/7');
});

test('secrets are read from a link', () => {
  const table = [
    ['#owner=KEY', { owner: 'KEY' }],
    ['#password=a%20%26b%3D', { password: 'a &b=' }],
    ['#owner=K&password=P', { owner: 'K', password: 'P' }],
    ['#password=%', { password: '%' }],
    ['#general', null],
    ['#owner', null],
    ['', null],
  ];
  for (const [hash, expected] of table) assert.deepEqual(address.secrets(hash), expected, hash);
  assert.deepEqual(address.secrets(address.withPassword('a &b=+ü')), { password: 'a &b=+ü' });
});

test('a search marks its words, whatever their case and form', () => {
  const table = [
    ['Hello World', 'world', 'Hello [World]'],
    ['ＷＯＲＬＤ', 'world', '[ＷＯＲＬＤ]'],
    ['ﬁne', 'f', '[ﬁ]ne'],
    ['aaa', 'a', '[a][a][a]'],
    ['e\u0301tude', 'é', '[e\u0301]tude'],
    ['nothing', 'x', 'nothing'],
    [`${'a'.repeat(200)}b`, 'b', `…${'a'.repeat(60)}[b]`],
    [`b${'a'.repeat(300)}`, 'b', `[b]${'a'.repeat(239)}…`],
  ];
  for (const [text, wanted, expected] of table) {
    assert.equal(
      marked(text, wanted).map(([part, isFound]) => (isFound ? `[${part}]` : part)).join(''),
      expected,
      text,
    );
  }
});

test('typed lines are parsed', () => {
  const table = [
    ['hello', { does: 'say', text: 'hello' }],
    ['  hello\n\n  there \n', { does: 'say', text: 'hello\n\n  there' }],
    ['1/2', { does: 'say', text: '1/2' }],
    ['//me too', { does: 'say', text: '/me too' }],
    ['/me waves\nagain', { does: 'say', text: 'waves\nagain', action: true }],
    ['/ME waves', { does: 'say', text: 'waves', action: true }],
    ['/nick Ada', { does: 'rename', name: 'Ada' }],
    ['/join #garden', { does: 'join', channel: '#garden' }],
    ['/leave', { does: 'leave', channel: null }],
    ['/leave #garden', { does: 'leave', channel: 'garden' }],
    ['/msg Bob hello there', { does: 'direct', to: 'Bob', text: 'hello there' }],
    ['/msg @Bob\nhello', { does: 'direct', to: 'Bob', text: 'hello' }],
    ['/quit', { does: 'quit' }],
    ['/help', { does: 'help' }],
    ['/who', { does: 'who', channel: null }],
    ['/who #garden', { does: 'who', channel: 'garden' }],
    ['/channels', { does: 'channels' }],
    ['/history', { does: 'history', limit: null }],
    ['/history 20', { does: 'history', limit: 20 }],
    ['/history 999', { does: 'history', limit: 200 }],
    ['/mute @Bob 10', { does: 'send', command: { type: 'mute', user: 'Bob', minutes: 10 } }],
    ['/door closed', { does: 'send', command: { type: 'door', open: false } }],
    ['/writing 30', { does: 'send', command: { type: 'writing', channel: undefined, who: 30 } }],
    ['/writing #garden owner', {
      does: 'send',
      command: { type: 'writing', channel: 'garden', who: 'owner' },
    }],
    ['/pin none', { does: 'send', command: { type: 'pin', seq: null } }],
    ['/edit 7 better\ntext', {
      does: 'send',
      command: { type: 'edit', seq: 7, text: 'better\ntext' },
    }],
    ['/react 7 :tada:', {
      does: 'send',
      command: { type: 'react', seq: 7, emoji: '🎉', on: true },
    }],
    ['/unreact 7 🎉', { does: 'send', command: { type: 'react', seq: 7, emoji: '🎉', on: false } }],
  ];
  for (const [typed, expected] of table) assert.deepEqual(lines.parse(typed), expected, typed);
  for (const typed of [
    '/me',
    '/nick ',
    '/join',
    '/msg',
    '/msg Bob',
    '/',
    '/ hello',
    '/dance',
    '/mehr',
    '/history x',
    '/history 0',
    '/history -1',
    '/constructor',
    '/mute Bob',
    '/mute Bob soon',
    '/door',
    '/door ajar',
    '/edit 7',
    '/edit x y',
    '/pin',
    '/own',
  ]) {
    const { does, sentence } = lines.parse(typed);
    assert.equal(does, 'wrong', typed);
    assert.ok(sentence.length > 10, typed);
  }
});

test('the chat’s URL is relative to the page', () => {
  const table = [
    ['http://localhost:8080/', 'ws://localhost:8080/chat'],
    ['https://example.org/rooms/parlor/?a=b#general', 'wss://example.org/rooms/parlor/chat'],
    ['http://localhost/rooms/index.html#x', 'ws://localhost/rooms/chat'],
    ['http://ada:pw@host/', 'ws://host/chat'],
  ];
  for (const [page, expected] of table) assert.equal(protocol.chatUrl(page), expected);
});

test('an updated server is one whose page has another build', () => {
  const build = '0123456789abcdef';
  const table = [
    [`parlor 0.1.0+${build}`, null, build, false],
    [`parlor 0.2.0+${build}`, 'parlor 0.1.0', build, false],
    ['parlor 0.1.0+fedcba9876543210', null, build, true],
    ['parlor 0.1.0', null, build, true],
    [undefined, undefined, build, true],
    ['parlor 0.1.0+1', 'parlor 0.1.0+1', null, false],
    ['parlor 0.1.0+2', 'parlor 0.1.0+1', null, true],
  ];
  for (const [server, first, own, expected] of table)
    assert.equal(protocol.isUpdated(server, first, own), expected, `${server} for ${own ?? first}`);
});

test('events are parsed', () => {
  assert.deepEqual(protocol.parse('{"type":"left","channel":"a"}'), { type: 'left', channel: 'a' });
  for (const none of ['', 'hello', 'null', '1', '[]', '{}', '{"type":1}', '"type"'])
    assert.equal(protocol.parse(none), null, none);
});

test('commands name their room and omit absent fields', () => {
  const text = (command) => JSON.stringify(command);
  assert.equal(text(protocol.hello({ name: 'Ada' })), '{"type":"hello","name":"Ada"}');
  assert.equal(text(protocol.join('a', 0)), '{"type":"join","channel":"a","since":0}');
  assert.equal(text(protocol.post(rooms.person('@1', 'Bob'), { text: 'x', nonce: 'n' })),
    '{"type":"direct","to":"Bob","text":"x","nonce":"n"}');
  assert.deepEqual(protocol.target(rooms.channel('a')), { channel: 'a' });
  assert.deepEqual(protocol.target(rooms.person('@1', 'Bob', 'c')), { conversation: 'c' });
  assert.equal(protocol.target(rooms.person('@1', 'Bob')), null);
});

test('a close sentence has the reason and one full stop', () => {
  assert.equal(protocol.closeSentence(1008, 'too many commands'),
    'The server closed the connection: too many commands.');
  assert.equal(protocol.closeSentence(1008, 'Too many.'),
    'The server closed the connection: Too many.');
  assert.equal(protocol.closeSentence(1006, ''), 'You’ve lost connection.');
  for (const code of [1000, 1001, 1002, 1003, 1007, 1009, 1011, 1013, 4000])
    assert.match(protocol.closeSentence(code, ''), /^[A-Z].*[a-z]\.$/);
});

test('the size of a message is that of the sent command', () => {
  const room = rooms.channel('general');
  const sent = JSON.stringify({
    type: 'message',
    channel: 'general',
    text: '',
    nonce: '0'.repeat(32),
    id: Number.MAX_SAFE_INTEGER,
  }).length;
  for (const [text, bytes] of [
    ['', 0],
    ['abc', 3],
    ['字'.repeat(2000), 6000],
    ['"\n', 4],
    ['\u0001', 6],
    ['\uD800', 3],
  ]) {
    assert.equal(protocol.sentBytes(room, text) - sent, bytes, JSON.stringify(text));
  }
});

test('characters are counted as the server counts them', () => {
  for (const [text, count] of [['', 0], ['abc', 3], ['grün', 4], ['👍🏽', 2], ['a\n', 2]])
    assert.equal(protocol.characters(text), count, text);
});

test('avatars have letters and colours', () => {
  for (const [name, letter] of [['ada', 'A'], ['über', 'Ü'], ['𐐨x', '𐐀'], ['', '']])
    assert.equal(initial(name), letter);
  assert.equal(hue('Ada'), hue('Ada'));
  assert.ok(new Set(['Ada', 'Bob', 'Cleo', 'Dan', 'Eve', 'Finn'].map(hue)).size >= 3);
});

test('lone surrogates and control characters are not sent', () => {
  const table = [['plain', 'plain'], ['a\uD800b', 'a\uFFFDb'], ['\uDC00', '\uFFFD'], ['😀', '😀'], [
    'two\nlines\tand a tab',
    'two\nlines\tand a tab',
  ]];
  for (const [text, sent] of table)
    assert.equal(JSON.parse(protocol.encode({ text, id: 1 })).text, sent, JSON.stringify(text));
  assert.equal(protocol.encode({ type: 'join', since: undefined }), '{"type":"join"}');
  assert.equal(protocol.printable('\u001b[31mred\u001b[0m\u0085 \u007f\ttab\nline ☺'),
    '[31mred[0m \ttab\nline ☺');
});

test('the feed has its rows in order', () => {
  const noon = new Date(2026, 5, 1, 12).getTime();
  const minutes = (count) => noon + count * 60_000;
  const by = (author, seq, at, more) => ({
    type: 'message',
    from: `user ${author}`,
    author,
    text: 'x',
    seq,
    at,
    ...more,
  });
  const kinds = (messages, change = {}, pending = []) => {
    const place = rooms.channel('general');
    rooms.replace(place, messages, messages.at(-1)?.seq ?? 0, false);
    Object.assign(place, change);
    return rows(place, pending, ({ author }) => author === 1).map((row) => {
      if (row.kind !== 'message') return row.kind;
      return `${row.own ? 'own' : 'other'}${row.head ? '+' : ''}`;
    }).join(' ');
  };
  const table = [
    ['an empty channel', [], {}, 'start'],
    [
      'a name above the first of a group',
      [by(2, 1, noon), by(2, 2, minutes(1)), by(1, 3, minutes(2)), by(1, 4, minutes(3))],
      {},
      'start day other+ other own+ own',
    ],
    ['again after a while', [by(2, 1, noon), by(2, 2, minutes(6))], {}, 'start day other+ other+'],
    [
      'again under another name',
      [by(2, 1, noon), by(2, 2, noon, { from: 'Other' })],
      {},
      'start day other+ other+',
    ],
    [
      'an action stands alone',
      [by(2, 1, noon), by(2, 2, noon, { action: true }), by(2, 3, noon)],
      {},
      'start day other+ other+ other+',
    ],
    [
      'another day',
      [by(2, 1, noon), by(2, 2, minutes(24 * 60))],
      {},
      'start day other+ day other+',
    ],
    ['a gap', [by(2, 1, noon), by(2, 4, noon)], {}, 'start day other+ gap other+'],
    [
      'an unknown event is no gap',
      [by(2, 1, noon), by(2, 2, noon, { type: 'edited' }), by(2, 3, noon)],
      {},
      'start day other+ other',
    ],
    [
      'what is new',
      [by(2, 1, noon), by(2, 2, noon), by(2, 3, noon)],
      { newAfter: 1 },
      'start day other+ new other+ other',
    ],
    ['nothing is new', [by(2, 1, noon)], { newAfter: 1 }, 'start day other+'],
    [
      'a deleted message',
      [by(2, 1, noon), { type: 'deleted_message', seq: 2 }, by(2, 3, noon), {
        type: 'deleted',
        seq: 4,
        of: 2,
        by: 'A',
      }],
      {},
      'start day other+ deleted other+',
    ],
    [
      'an edit of a removed message',
      [by(2, 1, noon), { type: 'deleted_message', seq: 2 }],
      {},
      'start day other+',
    ],
    [
      'the owner’s are marked',
      [by(2, 1, noon), by(2, 2, noon, { owner: true })],
      {},
      'start day other+ other+',
    ],
    ['there is more above', [by(2, 7, noon)], { older: true }, 'older day other+'],
  ];
  for (const [name, messages, change, expected] of table)
    assert.equal(kinds(messages, change), expected, name);
  assert.equal(kinds([], {}, [{ nonce: 'n', stage: 'waiting', error: null }]), 'start pending');
  const begins = (messages, upTo) => {
    const place = rooms.channel('general');
    rooms.replace(place, messages, upTo, false);
    return rows(place, [], () => false)[0].gone;
  };
  assert.equal(begins([], 0), false);
  assert.equal(begins([by(2, 1, noon)], 1), false);
  assert.equal(begins([by(2, 7, noon)], 7), true, 'earlier messages are no longer kept');
  assert.equal(begins([], 7), true, 'nothing is kept');
});

test('a sent message keeps the row it had while pending', () => {
  const place = rooms.channel('general');
  const message = { type: 'message', from: 'Ada', author: 1, text: 'x', seq: 1, at: 0, nonce: 'n' };
  const before = rows(place, [{ nonce: 'n', stage: 'sending', error: null }], () => true).at(-1);
  rooms.replace(place, [message], 1, false);
  const after = rows(place, [], () => true).at(-1);
  assert.equal(before.key, after.key);
  assert.notEqual(rows(place, [], () => false).at(-1).key, after.key,
    'the nonce of another user does not count');
});

test('a QR code has the size of its version and three corners', () => {
  // The hashes are of codes that jsQR read back, as it did every length up to 106 bytes.
  const table = [['x', 21, '385a577cf32f607e435ac00fe9efec85241d4cf4'], [
    'http://192.168.1.20:8080/#password=geheim',
    29,
    '7b087cbc39166ff1043129e4ed370ed276cdc1bc',
  ], ['ü'.repeat(50), 41, '451df4618c787b9ecf8f78cc60072565c0dcd549']];
  for (const [text, size, hash] of table) {
    const code = qrRows(text);
    assert.deepEqual([code.length, new Set(code.map((row) => row.length)).size], [size, 1], text);
    for (const row of [
      code[0].slice(0, 8),
      code[0].slice(-8).split('').reverse().join(''),
      code.at(-1).slice(0, 8),
    ]) assert.equal(row, '11111110');
    assert.equal(createHash('sha1').update(code.join()).digest('hex'), hash, text);
  }
  assert.deepEqual(qrRows('x'.repeat(107)), []);
});
