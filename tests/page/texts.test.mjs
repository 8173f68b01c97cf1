// The texts of the page: all in one table, with the same keys in each language, none missing and
// none unused.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from '../../www/texts/commands.js';
import { errorText, t } from '../../www/texts/language.js';
import { languages, sample, start, table, www } from './table.mjs';

const read = (name) => readFile(new URL(name, www), 'utf8');
const names = (await readdir(www, { recursive: true })).sort();
const sources = new Map(
  await Promise.all(
    names.filter((name) => /\.(?:js|html|css)$/.test(name)).map(async (
      name,
    ) => [name, await read(name)]),
  ),
);
const pages = [...sources.keys()].filter((name) => name.endsWith('.html'));
const isTable = (name) => [...languages.values()].includes(name);
const english = await table('en');

const holes = (text) => [...new Set(sample(text).match(/⟨\d⟩/g))].sort().join();

test('each page names every language', () => {
  const tables = names.filter((name) => /^export const texts = /m.test(sources.get(name)));
  assert.deepEqual(tables, [...languages.values()].sort());
  for (const page of pages) {
    for (const [tag, path] of languages) {
      if (tag !== 'en')
        assert.ok(sources.get(page).includes(`data-${tag.toLowerCase()}="${path}"`),
          `${page} lacks ${tag}`);
    }
  }
});

for (const tag of languages.keys()) {
  test(`texts have the same keys and arguments: ${tag}`, async () => {
    const texts = await table(tag);
    assert.deepEqual([...english.keys()].filter((key) => !texts.has(key)), [], 'missing');
    assert.deepEqual([...texts.keys()].filter((key) => !english.has(key)), [], 'unknown');
    for (const [key, text] of texts) {
      assert.notEqual(sample(text).trim(), '', key);
      if (!key.startsWith('errors.'))
        assert.equal(holes(text), holes(english.get(key)), `${tag} ${key}: ${sample(text)}`);
    }
    for (const word of Object.keys(t.commands))
      assert.notEqual(parse(texts.get(`commands.${word}.example`) ?? `/${word}`).does, 'wrong',
        word);
  });
}

/** The keys in the page's sources, and the beginnings of computed keys. */
function usedKeys() {
  const used = new Set(), computed = new Set(['start.']); // start.js has its own
  for (const [name, source] of sources) {
    if (isTable(name)) continue;
    for (const [, key] of source.matchAll(/data-(?:text|label|title|placeholder)="([^"]+)"/g))
      used.add(`page.${key}`);
    const aliases = [...source.matchAll(/^const (\w+) = t\.(\w+);/gm)].map((
      [, alias, section],
    ) => [alias, `${section}.`]);
    for (const [alias, section] of [['t', ''], ...aliases]) {
      for (const [, path, open] of source.matchAll(
        new RegExp(`(?<![\\w.$])${alias}((?:\\??\\.\\w+)+)(\\[)?`, 'g'),
      )) {
        const key = section + path.replaceAll('?', '').slice(1);
        if (open) computed.add(`${key}.`);
        else used.add(key).add(key.replace(/\.(?:map|flatMap)$/, ''));
      }
      if (new RegExp(`(?<![\\w.$])${alias}\\[`).test(source)) computed.add(section);
    }
    for (
      const [, section] of source.matchAll(/(?:Object\.entries\(|\bfillTexts\(|\.\.\.)t\.(\w+)/g)
    ) if (section !== 'page') computed.add(`${section}.`);
  }
  return { used, computed: [...computed] };
}

test('every key is used, and every key that is used exists', () => {
  const { used, computed } = usedKeys();
  const isArray = (key) => /\.\d+(?:\.\d+)?$/.test(key) && used.has(key.replace(/(?:\.\d+)+$/, ''));
  const left = [...english.keys()].filter((key) =>
    !used.has(key) && !isArray(key) && !computed.some((section) => key.startsWith(section))
  );
  assert.deepEqual(left, [], 'unused texts');
  const known = [...english.keys()];
  const sections = new Set(
    known.flatMap((key) =>
      key.split('.').map((_, index, parts) => parts.slice(0, index + 1).join('.'))
    ),
  );
  assert.deepEqual([...used].filter((key) => !sections.has(key) && !/\.(?:map|flatMap)$/.test(key)),
    [], 'missing texts');
});

/** The string and template literals of a script, `${…}` as `$`. */
function* literals(source) {
  const token =
    /\/\*[^]*?\*\/|\/\/[^\n]*|'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`|(?<=[(,=:[!&|?{};\n]\s*|return )\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|[{}]/g;
  // templates interrupted by a `${`, each with its text so far; null for a plain block
  const open = [];
  for (let found; (found = token.exec(source));) {
    const [whole, single, double] = found;
    if (single !== undefined || double !== undefined) yield single ?? double;
    else if (whole === '{') open.push(null);
    else if (whole === '`' || (whole === '}' && open.length > 0 && open.at(-1) !== null)) {
      let text = whole === '`' ? '' : `${open.pop()}$`;
      const rest = /(?:\\.|\$(?!\{)|[^`\\$])*(`|\$\{)/y;
      rest.lastIndex = token.lastIndex;
      const part = rest.exec(source);
      text += part[0].slice(0, -part[1].length);
      token.lastIndex = rest.lastIndex;
      if (part[1] === '`') yield text;
      else open.push(text);
    } else if (whole === '}') open.pop();
  }
}

/** Words that look like texts but are names of keys, elements, browsers or protocols. */
const NAMES =
  /^(?:Arrow\w+|Enter|Escape|Tab|Home|End|Dead|Key[A-Z]|Slash|Files|Ctrl|Alt|NumberFormat|PluralRules|ListFormat|RelativeTimeFormat|SHA-\d+|FIN|RSV\d|MASK|Hello|Hel|Unread|password\?)$/;

/**
 * Whether a literal looks like a text: several words with a capital or a full stop, or one word
 * with a capital.
 */
const isProse = (text) => {
  const words = text.replaceAll('$', ' ').replace(/\\[nt]/g, ' ').trim();
  if (NAMES.test(words) || !/\p{L}{2}/u.test(words)) return false;
  return /^\p{Lu}\p{Ll}+(?:$|[\s,.:!?…])/u.test(words) || /\p{L}{2,}[.!?…]$/u.test(words)
    || /\p{L}’\p{L}/u.test(words)
    || /^(?:\p{L}+ )+(?:is|are|of|in|to|the|a|and|not|you|no)(?: \p{L}+)*$/u.test(words);
};

/**
 * The visible texts of an HTML page: its nodes and attributes, except those for the time before or
 * without scripts.
 */
function prose(html) {
  const body = html.replace(
    /<!--[^]*?-->|<noscript>[^]*?<\/noscript>|<div class="start"[^]*?<\/div>|<title[^]*?<\/title>/g,
    '',
  );
  const attributes = [
    ...body.matchAll(/\s(?:aria-label|aria-description|title|placeholder|alt|label)="([^"]*)"/g),
  ].map(([, text]) => text);
  return [...body.split(/<[^>]*>/), ...attributes].map((text) => text.trim()).filter((text) =>
    /\p{L}/u.test(text) && text !== 'parlor'
  );
}

const strayIn = (name, source) => (name.endsWith('.html')
  ? prose(source)
  : name.endsWith('.css')
  ? [...source.matchAll(/content:\s*"([^"]*\p{L}[^"]*)"/gu)].map(([, text]) => text)
  : [...literals(source)].filter(isProse));

test('no visible text is outside the tables', () => {
  for (const [name, source] of sources) {
    if (isTable(name)) continue;
    const rest = name === 'app/start.js'
      ? source.replace(/const ENGLISH = \{[^]*?\n  \};/, '')
      : source;
    assert.deepEqual(strayIn(name, rest), [], name);
  }
  // The check must find these.
  for (const [name, planted, text] of [
    ['a.js', "node.title = 'Close menu';", 'Close menu'],
    ['a.js', 'tell(`Not sent: ${why}`)', 'Not sent: $'],
    ['a.js', "button({}, 'Leave')", 'Leave'],
    [
      'a.js',
      "x = /[']/.test(a) ? 'a room of your own' : `${y ? 'Good!' : ''}`",
      'a room of your own|Good!',
    ],
    ['a.js', "// 'No text'\n/* 'Nor this' */ 'no one is here.'", 'no one is here.'],
    ['a.html', '<p id="x">Hello</p>', 'Hello'],
    ['a.html', '<button aria-label="Menu">☰</button>', 'Menu'],
    ['a.css', 'p::before { content: "New"; }', 'New'],
  ]) assert.equal(strayIn(name, planted).join('|'), text);
});

test('every error code of the server has a text', async () => {
  const rust = await readFile(new URL('../../src/chat/error.rs', import.meta.url), 'utf8');
  const codes = new Set(
    [...rust.matchAll(/(?:^ {4}[A-Z_]+|::new\()\s*"(\w+)"/gm)].map(([, code]) => code),
  );
  assert.ok(codes.size > 20);
  assert.deepEqual([...codes].sort(), Object.keys(t.errors).sort());
  assert.equal(errorText({ code: 'name_taken', message: 'x' }),
    'That name (or one that looks like it) is taken.');
  assert.equal(errorText({ code: 'bad_name', message: 'names can be short' }),
    'Names can be short.');
  assert.equal(errorText({ code: 'of_later', message: 'not yet' }), 'Not yet.');
});

test('index.html has the first text of start.js', () => {
  const html = sources.get('index.html').replace(/\s+/g, ' ');
  assert.ok(html.includes(`<p>${start.loading} <a href="./">${start.reload}</a></p>`));
});
