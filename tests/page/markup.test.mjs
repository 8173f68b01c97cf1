// Markup: emphasis, code, links, mentions. The work is linear in the length of the text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmojiOnly, mentions, parse, plain } from '../../www/texts/markup.js';

/**
 * A short form of a tree: *bold* as b(), italic i(), code c(), link l<address|host>, mention @(),
 * quote q(), fenced code f().
 */
function short(text, users = []) {
  const signs = { bold: 'b', italic: 'i', strike: 's', mention: '@', code: 'c', link: 'l' };
  const part = (one) => {
    if (one.kind === 'plain') return one.text;
    if (one.kind === 'channel') return `#(${one.name}${one.seq === null ? '' : ` ${one.seq}`})`;
    if (one.kind === 'link') return `l<${one.text}${one.host === null ? '' : `|${one.host}`}>`;
    return `${signs[one.kind]}(${one.parts?.map(part).join('') ?? one.name ?? one.text})`;
  };
  return parse(text, (name) => users.includes(name),
    (name) => ['general', 'garden.2', '中'].includes(name)).map((block) => {
      if (block.kind === 'code') return `f(${block.text})`;
      if (block.kind === 'list')
        return block.items.map(({ number, parts }) =>
          `${number ?? '•'}(${parts.map(part).join('')})`
        ).join('');
      const inner = block.parts.map(part).join('');
      return block.kind === 'quote' ? `q(${inner})` : inner;
    }).join('¶');
}

function check(table) {
  for (const [name, text, expected] of table) assert.equal(short(text), expected, name);
}

test('channels and messages become links', () =>
  check([
    ['a channel', 'see #general.', 'see #(general).'],
    ['a message', 'see #general/842, please', 'see #(general 842), please'],
    ['in a quote', '> Ada: hi #general/1', 'q(Ada: hi #(general 1))'],
    ['a name with a full stop', '#garden.2/3', '#(garden.2 3)'],
    ['no such channel', '#1 and #generals', '#1 and #generals'],
    ['within a word', 'a#general C##general', 'a#general C##general'],
    ['in an address', 'https://example.org/#general', 'l<https://example.org/#general>'],
    ['in code', '`#general`', 'c(#general)'],
    ['no number', '#general/x #general/1x', '#(general)/x #(general)/1x'],
    ['beside Chinese letters', '看#中文', '看#(中)文'],
  ]));

test('lists and struck words are marked', () =>
  check([
    ['a list', 'to do:\n- read **5.3**\n* write', 'to do:¶•(read b(5.3))•(write)'],
    ['a numbered list keeps its numbers', '3. a\n4) b\nc', '3(a)4(b)¶c'],
    ['a date', '3. May', '3. May'],
    ['a number below zero', '-5 degrees', '-5 degrees'],
    ['italics at the beginning', '*a* b', 'i(a) b'],
    ['two lists', '- a\n1. b\n2. c', '•(a)¶1(b)2(c)'],
    ['a mark without words', '- ', '- '],
    ['struck words', 'a ~~b *c*~~ d', 'a s(b i(c)) d'],
    ['one tilde, or four', '~a~ ~~~~', '~a~ ~~~~'],
    ['in bold', '**~~a~~**', 'b(s(a))'],
  ]));

test('a mention in a list is a mention', () => assert.equal(mentions('- ask @Ada', 'Ada'), true));

test('a text is shown without its markup', () =>
  assert.equal(plain('**a ~~b~~** `c`\n> q\n- x\n```\n*y*\n```'), 'a b c\nq\n• x\n*y*'));

test('a few emoji alone are large', () => {
  for (const [text, expected] of [
    ['🎉', true],
    [':tada: 👩‍👩‍👧‍👦', true],
    ['1', false],
    ['🎉 ok', false],
    ['> 🎉', false],
    ['🎉'.repeat(7), false],
    ['', false],
  ]) {
    assert.equal(isEmojiOnly(parse(text)), expected, text);
  }
});

test('emphasis, code, emoji and blocks are marked', () =>
  check([
    ['nothing', 'hello, you', 'hello, you'],
    ['bold, italics, code', '**a** *b* _c_ `d`', 'b(a) i(b) i(c) c(d)'],
    ['one in the other', '**a *b* c**', 'b(a i(b) c)'],
    ['bold in italics', '*a **b** c*', 'i(a b(b) c)'],
    ['both end at once', '**a *b***', 'b(a i(b))'],
    ['both at once', '***a***', 'b(i(a))'],
    ['italics of another mark in bold', '**_a_**', 'b(i(a))'],
    ['marks in code', '`**a** @ada`', 'c(**a** @ada)'],
    ['a mark in code ends nothing', '*a `b*` c*', 'i(a c(b*) c)'],
    ['products', '2*3*4 and a * b * c', '2*3*4 and a * b * c'],
    ['names with underscores', 'snake_case_name and __init__', 'snake_case_name and __init__'],
    ['marks that are never closed', '**a and `b and *c', '**a and `b and *c'],
    ['marks alone', '*_* ** *** _*_', '*_* ** *** _*_'],
    ['a mark over two lines', '*a\nb*', '*a\nb*'],
    ['letters of another script', 'ж*ж*ж', 'ж*ж*ж'],
    [
      'Chinese neighbours',
      '这是**粗体**文字，*斜体*，_也是_。',
      '这是b(粗体)文字，i(斜体)，i(也是)。',
    ],
    ['Japanese neighbours', 'これは**太字**です', 'これはb(太字)です'],
    ['Korean neighbours', '이것은 **굵은**글씨', '이것은 b(굵은)글씨'],
    ['full-width and typographic punctuation', '（**a**）“*b*”…_c_—', '（b(a)）“i(b)”…i(c)—'],
    ['letters beside Chinese letters', '中a*b*c', '中a*b*c'],
    ['decomposed letters', 'e\u0301*a*', 'e\u0301*a*'],
    ['two backticks', '``a ` b``', 'c(a ` b)'],
    ['three backticks on one line', 'see ```x = 1``` there', 'see c(x = 1) there'],
    ['three backticks around a line', '```x```', 'c(x)'],
    ['a backtick as code', '`` ` ``', 'c(`)'],
    ['unequal backticks', '``a`', '``a`'],
    ['an emoji', ':tada: 10:30:45 :none:', '🎉 10:30:45 :none:'],
    ['an emoji after Chinese letters', '好:tada:', '好🎉'],
    ['a quote', '> a\n> *b*\nc', 'q(a\ni(b))¶c'],
    ['fenced code', 'a\n```js\n*b*\n\n> c\n```\nd', 'a¶f(*b*\n\n> c)¶d'],
    ['a fence that is never closed', '```\na', '```\na'],
    ['markup of HTML', '<b>a</b> &amp;', '<b>a</b> &amp;'],
    ['half a character', '\ud83d*a*', '\ud83di(a)'],
  ]));

test('addresses become links', () =>
  check([
    [
      'in a sentence',
      'see https://example.org/a?b=c#d, and',
      'see l<https://example.org/a?b=c#d>, and',
    ],
    ['in brackets, with brackets', '(http://example.org/a_(b)).', '(l<http://example.org/a_(b)>).'],
    [
      'brackets that it did not open',
      'https://example.org/a)), https://example.org/(b)_c)',
      'l<https://example.org/a>)), l<https://example.org/(b)_c>)',
    ],
    [
      'square brackets',
      '[https://example.org] [https://example.org/a]',
      '[l<https://example.org>] [l<https://example.org/a>]',
    ],
    ['an address of IPv6', '[http://[::1]:8080/a]', '[l<http://[::1]:8080/a>]'],
    ['marks in it', 'https://example.org/*a*_b_', 'l<https://example.org/*a*_b>_'],
    [
      'emphasised',
      '*https://example.org* **https://example.org/a**',
      'i(l<https://example.org>) b(l<https://example.org/a>)',
    ],
    [
      'a name that looks like the host',
      'https://good.com@evil.example/',
      'l<https://good.com@evil.example/|evil.example>',
    ],
    ['letters that look like others', 'https://аpple.com', 'l<https://аpple.com|xn--pple-43d.com>'],
    ['a change of direction', 'https://a.com\u202Emoc', 'l<https://a.com>\u202Emoc'],
    [
      'other schemes',
      'javascript:alert(1) data:text/html,x',
      'javascript:alert(1) data:text/html,x',
    ],
    [
      'no host',
      'http:// and https:// and https://. and https://…',
      'http:// and https:// and https://. and https://…',
    ],
    ['English quotation marks', '“https://example.com”', '“l<https://example.com>”'],
    ['English single quotation marks', '‘https://example.com/a’', '‘l<https://example.com/a>’'],
    [
      'German quotation marks',
      '„https://example.com“ ‚https://example.com/a‘',
      '„l<https://example.com>“ ‚l<https://example.com/a>‘',
    ],
    [
      'French quotation marks',
      '«https://example.com» ‹https://example.com/a›',
      '«l<https://example.com>» ‹l<https://example.com/a>›',
    ],
    [
      'straight quotation marks',
      '"https://example.com" \'https://example.com/a\'',
      '"l<https://example.com>" \'l<https://example.com/a>\'',
    ],
    [
      'a possessive',
      "https://example.com's and https://example.com’s",
      "l<https://example.com>'s and l<https://example.com>’s",
    ],
    [
      'full-width brackets',
      '（https://example.com）【https://example.com/a】',
      '（l<https://example.com>）【l<https://example.com/a>】',
    ],
    [
      'corner brackets',
      '「https://example.com」『https://example.com/a』《https://example.com/b》',
      '「l<https://example.com>」『l<https://example.com/a>』《l<https://example.com/b>》',
    ],
    [
      'an ideographic full stop',
      'https://example.com。 https://example.com/a。',
      'l<https://example.com>。 l<https://example.com/a>。',
    ],
    [
      'a full-width comma and a word',
      'https://example.com，next https://example.com/a，next',
      'l<https://example.com>，next l<https://example.com/a>，next',
    ],
    [
      'other full-width punctuation',
      'https://example.com！https://example.com/a？https://example.com：https://example.com；https://example.com、https://example.com～',
      'l<https://example.com>！l<https://example.com/a>？l<https://example.com>：l<https://example.com>；l<https://example.com>、l<https://example.com>～',
    ],
    [
      'an ellipsis',
      'https://example.com… https://example.com/a…',
      'l<https://example.com>… l<https://example.com/a>…',
    ],
    [
      'three full stops',
      'https://example.com... https://example.com/a...',
      'l<https://example.com>... l<https://example.com/a>...',
    ],
    [
      'a dash',
      'https://example.com—next https://example.com/a – https://example.com/b–',
      'l<https://example.com>—next l<https://example.com/a> – l<https://example.com/b>–',
    ],
    [
      'an Arabic comma and question mark',
      'https://example.com، https://example.com/a؟',
      'l<https://example.com>، l<https://example.com/a>؟',
    ],
    ['a Devanagari full stop', 'https://example.com/a।', 'l<https://example.com/a>।'],
    ['after Chinese letters', '请看https://example.com/a', '请看l<https://example.com/a>'],
    ['a host between Chinese letters', '看https://example.com吧', '看l<https://example.com>吧'],
    ['after letters with spaces', 'xhttps://example.com', 'xhttps://example.com'],
    [
      'a path in Chinese letters',
      'https://zh.wikipedia.org/wiki/维基百科',
      'l<https://zh.wikipedia.org/wiki/维基百科>',
    ],
    [
      'a dash in a path',
      'https://en.wikipedia.org/wiki/Bose–Einstein',
      'l<https://en.wikipedia.org/wiki/Bose–Einstein>',
    ],
    [
      'a host in Chinese letters',
      'https://例子.测试/',
      'l<https://例子.测试/|xn--fsqu00a.xn--0zwm56d>',
    ],
    [
      'a host with umlauts',
      'https://münchen.example',
      'l<https://münchen.example|xn--mnchen-3ya.example>',
    ],
    ['an emoji after it', 'https://example.com👍', 'l<https://example.com>👍'],
  ]));

test('mentions are marked', () => {
  check([
    ['in a sentence', '@Ada, @bob. and x@y.org', '@(Ada), @(bob). and x@y.org'],
    ['in emphasis', '*@ada* _@bob_ **@cleo**', 'i(@(ada)) i(@(bob)) b(@(cleo))'],
    ['before Chinese letters', '@ada你好', '@(ada)你好'],
    ['in a quote', '> @ada', 'q(@ada)'],
  ]);
  assert.equal(short('@小明你好', ['小明']), '@(小明)你好', 'a user of that name exists');
  assert.equal(short('@李明', ['李', '李明']), '@(李明)', 'the longest name of a user');
  assert.equal(short('@ada..', ['ada.']), '@(ada.).');
});

test('mentions of a user are found', () => {
  const yes = {
    ada: [
      'hi @ada!',
      '@Ada',
      '(@ada)',
      '@ada.',
      '@ada...',
      '@ada…',
      '@ada,you',
      '@ada: see',
      "@ada's",
      '@ada’s',
      '"@ada"',
      '“@ada”',
      '«@ada»',
      '@ada-',
      'x\n@ada',
      '@@ada',
      '*@ada*',
      '_@ada_',
      '**@ada**',
      '(cc:@ada)',
      '你好@ada',
      '@ada你好',
      '你好@ada你好',
      '，@ada，',
      '（@ada）',
      '「@ada」',
      '@adaさん',
      '@ada님',
      'สวัสดี@ada',
      '＠ada',
      '@ａｄａ',
      '👍@ada',
      '❤️@ada',
      '@ada👍',
      '@bob/@ada',
      '@ada/@bob',
      'hello.@ada',
      '@ada?!',
      '@ada;',
      '@ada\u200b',
      '`x` @ada',
      '> a\n@ada',
      '``@ada',
    ],
    'José': ['@José', '@Jose\u0301', '@JOSÉ', '@josé!'],
    'Jürgen': ['@jürgen', '@Ju\u0308rgen'],
    'ada-lovelace': ['@ada-lovelace', '@ada-lovelace.', '@Ada-Lovelace,'],
    'ada.b': ['@ada.b', '@ada.b.', 'ok @ada.b…'],
    ada_b: ['@ada_b', '_@ada_b_'],
    'ada.': ['@ada.', '@ada..'],
    'ada_': ['@ada_'],
    'ada-': ['@ada-'],
    '小明': ['@小明', '@小明你好', '请@小明看', '@小明ok', '@小红@小明'],
    'ada小明': ['@ada小明'],
    '김철수': ['@김철수님'],
    '7': ['@7'],
    'a.b-c_d': ['@a.b-c_d'],
  };
  const no = {
    ada: [
      'ada',
      '@adam',
      '@adá',
      '@ada\u0301',
      '@ada-lovelace',
      '@ada.b',
      '@ada_b',
      '@ada2',
      '@ada@example.com',
      '@ada@bob',
      '@ada:example.org',
      'ada@ada',
      'x@ada',
      'é@ada',
      'e\u0301@ada',
      'привет@ada',
      '1@ada',
      '_x@ada',
      'https://mastodon.example/@ada',
      'mastodon.example/@ada',
      'http://x/?a=@ada',
      'localhost:8080/#@ada',
      'https://@ada',
      'mail bob@ada.com',
      '`@ada`',
      '`` `@ada` ``',
      '```\n@ada\n```',
      '> @ada',
      '> a\n> @ada',
      '```@ada```',
      '@ada-你',
      '@ ada',
      '@',
      '',
    ],
    'Jose': ['@José', '@Jose\u0301'],
    'ada.b': ['@ada', '@ada.bc', '@axb'],
    'a.b': ['@axb'],
    'ada_': ['@ada'],
    '小明': ['@小明2', '@小', '小明', '@小明.b'],
  };
  for (const [name, texts] of Object.entries(yes))
    for (const text of texts)
      assert.ok(mentions(text, name), `${JSON.stringify(text)} mentions ${name}`);
  for (const [name, texts] of Object.entries(no))
    for (const text of texts)
      assert.ok(!mentions(text, name), `${JSON.stringify(text)} does not mention ${name}`);
  assert.ok(!mentions('@ada', undefined));
  assert.ok(!mentions('@李明', '李', (name) => name === '李明'),
    'another user has the longer name');
});

test('no text loses a word', () => {
  const parts = [
    '*',
    '**',
    '_',
    '`',
    ':',
    '@',
    '> ',
    '```',
    '\n',
    '~~',
    '- ',
    '7. ',
    'a',
    ' ',
    'https://',
    '(',
    ')',
    '.',
    'é',
    '\u0301',
    '👍',
    ':tada:',
    '中',
    '“',
    '。',
  ];
  let seed = 7;
  const below = (most) => (seed = (seed * 48_271) % 2_147_483_647) % most;
  const plain = (tree) => tree.map((one) => one.text ?? plain(one.items ?? one.parts)).join('');
  const words = (text) => text.replace(/[*_`~>\s-]|7\.|:tada:|🎉/g, '');
  for (let round = 0; round < 1000; round += 1) {
    const text = Array.from({ length: below(60) }, () => parts[below(parts.length)]).join('');
    assert.equal(words(plain(parse(text))), words(text), JSON.stringify(text));
  }
});

/** Texts that have made Markdown parsers slow. */
const HOSTILE = {
  'list items': (count) => '- a\n'.repeat(count),
  'openers of struck words': (count) => '~~a '.repeat(count),
  'openers of italics': (count) => '*a '.repeat(count),
  'openers of both': (count) => '**a *b '.repeat(count),
  'pairs': (count) => '*a* **b** '.repeat(count),
  'closers': (count) => 'a* a** a_ '.repeat(count),
  'openers, then a closer': (count) => `${'*_ '.repeat(count)}_*`,
  'italics in italics': (count) => `${'*a'.repeat(count)}${'*'.repeat(count)}`,
  'marks in turn': (count) => '*_'.repeat(count),
  'backticks of growing length': (count) =>
    Array.from({ length: Math.sqrt(count * 4) }, (_, index) => '`'.repeat(index + 1)).join(' '),
  'backticks and line feeds': (count) => '`a\n'.repeat(count),
  'fences that are not closed': (count) => '```a\n'.repeat(count),
  'hosts that are none': (count) => 'http://[/'.repeat(count),
  'addresses in turn': (count) => 'https://a'.repeat(count),
  'an address and brackets': (count) => `https://a/${'('.repeat(count)}${')'.repeat(count)}`,
  'user information without a host': (count) => `http://${'a:'.repeat(count)}`,
  'mentions': (count) => '@a-b'.repeat(count),
  'Chinese mentions': (count) => '@小明'.repeat(count),
  'one long mention': (count) => `@${'小明'.repeat(count)}`,
  'slashes and mentions': (count) => '/@a'.repeat(count),
  'marks on letters': (count) => `${'\u0301'.repeat(count)}*@a`.repeat(2),
  'colons': (count) => ':a'.repeat(count),
  'quotes': (count) => '> *a\nb\n'.repeat(count),
};

/**
 * What `work` does, in characters: counts the methods that look at strings while it runs, by the
 * characters that they pass. A failed match at one place counts as one, so a pattern that runs far
 * before it fails shows only in the times below.
 */
function counted(work) {
  let steps = 0;
  const changed = [];
  const count = (owner, name, cost) => {
    const original = owner[name];
    changed.push(() => {
      owner[name] = original;
    });
    owner[name] = function counting(...values) {
      const from = this.lastIndex;
      const result = original.apply(this, values);
      steps += 1 + cost(this, values, result, from);
      return result;
    };
  };
  count(RegExp.prototype, 'exec', (pattern, [text], found, from) => {
    const begin = pattern.global || pattern.sticky ? from : 0;
    if (found) return found.index - begin + found[0].length;
    return pattern.sticky || pattern.source.startsWith('^') ? 0 : String(text).length - begin;
  });
  for (const name of ['indexOf', 'includes', 'split', 'trimEnd', 'normalize', 'toLowerCase'])
    count(String.prototype, name,
      (text, [, from = 0], found) => (found >= 0 ? found - from : text.length));
  count(String.prototype, 'slice', (text, values, found) => found.length);
  for (const name of ['findIndex', 'find', 'indexOf'])
    count(Array.prototype, name, (list) => list.length);
  try {
    work();
  } finally {
    changed.forEach((undo) => undo());
  }
  return steps;
}

test('the work is linear in the length of the text', () => {
  for (const [name, text] of Object.entries(HOSTILE)) {
    const [small, large] = [500, 4000].map((count) => text(count));
    const each = [small, large].map((one) =>
      counted(() => mentions(`${one} @b`, 'ada')) / one.length
    );
    assert.ok(each[1] < 1.5 * each[0] + 5,
      `${name}: ${each.map(Math.round).join(', then ')} steps for each character`);
  }
});

// node tests/page/markup.test.mjs prints the time for each length. It asserts nothing, because
// machines differ.
test('times are printed for each length', (t) => {
  for (const [name, text] of Object.entries(HOSTILE)) {
    const times = [1000, 4000, 16_000].map((length) => {
      const one = text(Math.ceil((2 * length) / text(2).length)).slice(0, length);
      let best = Infinity;
      for (let round = 0; round < 5; round += 1) {
        const began = performance.now();
        parse(one);
        best = Math.min(best, performance.now() - began);
      }
      return `${length}: ${Math.round(best * 1000)}`;
    });
    t.diagnostic(`${name}: ${times.join(', ')}`);
  }
});
