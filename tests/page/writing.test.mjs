// Writing: completion, drafts, the last sent line, another name. Also the count of missing messages
// in the sync status.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entersSuggestion, fit, ranked, replaced, suggestions, wordAt } from '../../www/texts/complete.js';
import { draftOf, withDraft } from '../../www/store/drafts.js';
import { EMOJI } from '../../www/texts/emoji.js';
import { all, help, parse } from '../../www/texts/commands.js';
import * as rooms from '../../www/store/room.js';
import { alternativeName } from '../../www/texts/names.js';
import { syncStatus as statusOf } from '../../www/views/room-header.js';

/** The word at the caret, which `|` marks. */
const at = (marked) => wordAt(marked.replace('|', ''), marked.indexOf('|'));

test('the word before the caret is found', () => {
  const table = [
    ['@|', '@', '@'],
    ['@Bo|', '@', '@Bo'],
    ['hello @Jür|', '@', '@Jür'],
    ['(@Bo|)', '@', '@Bo'],
    ['x\n@Bo|', '@', '@Bo'],
    ['@Bo| hello', '@', '@Bo'],
    ['a@example|', null],
    ['@Bob |', null],
    ['@B|ob', null],
    ['@B|.ob', null],
    ['example.org/@a|', null],
    ['@Bo|.', '@', '@Bo'],
    ['你好@|', '@', '@'],
    ['你好@小|', '@', '@小'],
    ['안녕@Bo|', '@', '@Bo'],
    ['，@Bo|', '@', '@Bo'],
    ['（@Bo|）', '@', '@Bo'],
    ['「@Bo|」', '@', '@Bo'],
    ['@Bo|你好', '@', '@Bo'],
    ['“@Bo|”', '@', '@Bo'],
    ['…@Bo|', '@', '@Bo'],
    ['@José|', '@', '@José'],
    ['＠Bo|', '@', '＠Bo'],
    ['👍@Bo|', '@', '@Bo'],
    ['❤️@Bo|', '@', '@Bo'],
    ['é@Bo|', null],
    ['привет@Bo|', null],
    ['你好:smi|', ':', ':smi'],
    ['，:smi|', ':', ':smi'],
    ['f():|', null],
    [':|', ':', ':'],
    ['hi :smi|', ':', ':smi'],
    [':+1|', ':', ':+1'],
    ['at 12:30|', null],
    [':-D|', null],
    [':D|', null],
    ['http://|', null],
    ['/|', '/', '/'],
    ['/he|', '/', '/he'],
    ['  /he|', '/', '/he'],
    ['/msg |', null],
    ['a /he|', null],
    ['//he|', null],
    ['', null],
    ['hello|', null],
  ];
  for (const [marked, sign, typed] of table) {
    const word = at(marked);
    assert.deepEqual(word && [word.sign, word.typed], sign && [sign, typed], marked);
  }
  assert.equal(at('hi @Bo|').from, 3);
});

test('words are ranked by their match', () => {
  for (const [word, typed, rank] of [
    ['Bob', 'bob', 0],
    ['Bob', 'b', 1],
    ['Bob', '', 1],
    ['thumbs_up', 'up', 2],
    ['Bob', 'ob', 3],
    ['Bob', 'x', null],
    ['José', 'jose\u0301', 0],
  ]) {
    assert.equal(fit(word, typed), rank, `${word} ${typed}`);
  }
  assert.deepEqual(ranked(['xan', 'Anna', 'An', 'Ada'], 'an'), ['An', 'Anna', 'xan']);
});

const known = {
  people: ['Bob', 'Bobby', 'Ada'],
  emoji: [['smile', '😄'], ['smirk', '😏'], ['+1', '👍']],
};
const offered = (marked) => suggestions(at(marked), known);

test('suggestions are listed', () => {
  const values = (marked) => offered(marked).map(({ value }) => value);
  assert.deepEqual(values('@|'), ['@Bob ', '@Bobby ', '@Ada ']);
  assert.deepEqual(values('@bob|'), ['@Bob ', '@Bobby ']);
  assert.deepEqual(values(':smi|'), [':smile: ', ':smirk: ']);
  assert.deepEqual(values(':+1|'), [':+1: ']);
  assert.deepEqual(values('/h|'), ['/history ', '/help']);
  assert.deepEqual(values('/M|'), ['/me ', '/msg ', '/mute ']);
  assert.deepEqual(values('@unknown|'), []);
  assert.equal(offered('/|').length, 10);
  assert.deepEqual(offered('@bob|').map(({ whole }) => whole), [true, false]);
});

test('Enter accepts a suggestion or sends the line', () => {
  const table = [
    ['@Bo|', false, true],
    ['@Bob|', false, false],
    ['@Bob|', true, true],
    ['/he|', false, true],
    ['/help|', false, false],
    ['/me|', false, false],
    [':smi|', false, true],
    [':|', false, false],
    [':s|', false, false],
    [':s|', true, true],
    ['@unknown|', false, false],
  ];
  for (const [marked, chosen, takes] of table)
    assert.equal(entersSuggestion(at(marked), offered(marked), chosen), takes,
      `${marked} ${chosen}`);
});

test('a word is replaced in place', () => {
  for (const [marked, value, expected] of [
    ['hi @Bo|', '@Bob ', 'hi @Bob |'],
    ['hi @Bo| there', '@Bob ', 'hi @Bob |there'],
    ['(:smi|)', ':smile: ', '(:smile: |)'],
    ['/he|', '/help', '/help|'],
  ]) {
    const { text, caret } = replaced(marked.replace('|', ''), at(marked), value);
    assert.equal(`${text.slice(0, caret)}|${text.slice(caret)}`, expected, marked);
  }
});

test('every command is in /help and is parsed', () => {
  for (const { word, example } of all()) {
    assert.match(help(), new RegExp(`^/${word}\\b`, 'm'));
    assert.notEqual(parse(example ?? `/${word}`).does, 'wrong', word);
  }
  // docs/protocol.md: the typed lines, all of them.
  assert.deepEqual(all().map(({ word }) => word).sort(), [
    'channels',
    'clear',
    'delete',
    'door',
    'edit',
    'help',
    'history',
    'join',
    'kick',
    'leave',
    'me',
    'msg',
    'mute',
    'nick',
    'own',
    'pin',
    'quit',
    'react',
    'remove',
    'search',
    'unreact',
    'who',
    'writing',
  ]);
});

test('each place has its draft', () => {
  let drafts = withDraft(withDraft([], '#a', 'one'), '#b', 'two');
  assert.deepEqual([draftOf(drafts, '#a'), draftOf(drafts, '#b'), draftOf(drafts, '#c')], [
    'one',
    'two',
    '',
  ]);
  drafts = withDraft(drafts, '#a', 'one more');
  assert.deepEqual(drafts, [['#b', 'two'], ['#a', 'one more']]);
  assert.deepEqual(withDraft(drafts, '#b', ' \n'), [['#a', 'one more']]);
  for (let number = 0; number < 200; number += 1) drafts = withDraft(drafts, `#${number}`, 'x');
  assert.equal(drafts.length, 100, 'the oldest go');
  assert.equal(draftOf(drafts, '#199'), 'x');
});

test('a refused name gets another suggestion', () => {
  for (const [name, other] of [
    ['Ada', 'Ada2'],
    ['Ada2', 'Ada3'],
    ['Ada9', 'Ada10'],
    [' Ada ', 'Ada2'],
    ['7', 'guest8'],
    ['x'.repeat(32), `${'x'.repeat(31)}2`],
  ]) {
    assert.equal(alternativeName(name, 'name_taken'), other);
  }
  for (const [name, other] of [
    ['Zoë Müller', 'Zoë-Müller'],
    [' a  b ', 'a-b'],
    ['_x', 'x'],
    ['a!', 'a'],
    ['x y'.repeat(12), 'x-yx-yx-yx-yx-yx-yx-yx-yx-yx-yx'],
    ['!', null],
    ['Ada', null],
  ]) {
    assert.equal(alternativeName(name, 'bad_name'), other, name);
  }
  assert.equal(alternativeName('Ada', 'rate_limited'), null);
});

const syncStatus = (place) => statusOf(place)?.sentence ?? '';

test('sync status counts missing messages', () => {
  const message = (seq) => ({ type: 'message', seq });
  const range = (from, to) =>
    Array.from({ length: to - from + 1 }, (_, index) => message(from + index));
  const place = rooms.channel('a');
  assert.equal(syncStatus(null), '');
  assert.equal(syncStatus(place), '');
  rooms.replace(place, range(1, 842), 842, false);
  assert.equal(syncStatus(place), '842 of 842 messages, nothing missing');
  place.filling = true;
  rooms.receive(place, message(845));
  assert.equal(syncStatus(place), '842 of 845 messages, loading 3 more');
  assert.equal(statusOf(place).loading, true);
  rooms.append(place, range(843, 844), false, 1);
  assert.equal(syncStatus(place), '845 of 845 messages, nothing missing');
  assert.equal(statusOf(place).loading, false);
  const late = rooms.channel('b');
  rooms.replace(late, range(793, 842), 842, true);
  assert.equal(syncStatus(late), '50 of 842 messages, nothing missing',
    'earlier messages load on scrolling');
  late.first = 700;
  assert.equal(syncStatus(late), '50 of 842 messages, 699 older messages not stored',
    'the number of unstored messages is known');
  rooms.prepend(late, range(700, 792), false);
  assert.equal(syncStatus(late), '143 of 842 messages, 699 older messages not stored');
});

test('emoji: each name has a character', () => {
  assert.ok(EMOJI.size > 200);
  assert.equal(EMOJI.get('smile'), '😄');
  for (const [name, character] of EMOJI)
    assert.ok(/^[a-z0-9_+-]+$/.test(name) && !/[a-z]/.test(character), name);
});
