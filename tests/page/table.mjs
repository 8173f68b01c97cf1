// The tables of texts for tests: by key, with arguments that can be recognized in the result.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

export const www = new URL('../../www/', import.meta.url);

/**
 * The languages of the page and their files, from attributes of index.html such as
 * `data-de="texts/de.js"`.
 */
export const languages = new Map([
  ['en', 'texts/en.js'],
  ...[
    ...(await readFile(new URL('index.html', www), 'utf8')).matchAll(
      / data-[\w-]+="(texts\/([\w-]+)\.js)"/g,
    ),
  ].map(([, path, tag]) => [tag, path]),
]);

/** The texts in app/start.js. */
export const start = (0, eval)(
  `(${
    /const ENGLISH = (\{[^]*?\n  \});/.exec(await readFile(new URL('app/start.js', www), 'utf8'))[1]
  })`,
);

/**
 * Formatters that keep arguments visible. A plural shows all its forms, and must have those that
 * the language needs.
 */
function tools(tag) {
  const plural = (type) => (n, forms) => {
    const rules = new Intl.PluralRules(tag, { type });
    const wanted = new Set(Array.from({ length: 1001 }, (_, number) => rules.select(number)));
    const has = Object.keys(forms).sort().join();
    assert.ok(has === 'other' || has === [...wanted].sort().join(),
      `${tag}: ${Object.values(forms)} has ${has} instead of ${[...wanted]}`);
    return Object.values(forms).join(' ').replaceAll('#', String(n));
  };
  return {
    number: String,
    bytes: String,
    duration: String,
    plural: plural('cardinal'),
    ordinal: plural('ordinal'),
    words: (all) => [all].flat().join(),
    list: (all, others) => [all, others?.('others')].flat(),
  };
}

/** The texts of a language as a map from keys such as `feed.older` to texts. */
export async function table(tag) {
  const { texts } = await import(new URL(languages.get(tag), www));
  const made = texts(tools(tag));
  return flat(tag === 'en' ? { start, ...made } : made);
}

const flat = (from, prefix = '') =>
  new Map(Object.entries(from).flatMap(([key, value]) => (
    typeof value === 'object' ? [...flat(value, `${prefix}${key}.`)] : [[prefix + key, value]]
  )));

/** Returns a text with the arguments `⟨0⟩`, `⟨1⟩` …, also if it takes an object or a list. */
export function sample(text) {
  if (typeof text !== 'function') return text;
  const args = Array.from({ length: text.length }, (_, index) =>
    new Proxy({}, {
      get: (_, field) => (field === Symbol.toPrimitive || field === 'toString'
        ? () => `⟨${index}⟩`
        : field === Symbol.iterator
        ? () => [`⟨${index}⟩`].values()
        : field === 'length'
        ? 1
        : field === Symbol.isConcatSpreadable
        ? false
        : `⟨${index}⟩`),
    }));
  return [text(...args)].flat(Infinity).map(String).join('');
}

export const escaped = (text) =>
  text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replace(/\s+/g, '\\s+');

/**
 * Returns a function that finds the words of an English text, or the beginning of one, in another
 * language: as a pattern, since several texts may be the same in English.
 */
export async function translator(tag) {
  const [english, other] = [await table('en'), await table(tag)];
  return (words, exact = false) => {
    if (tag === 'en' || typeof words !== 'string') return words;
    const pairs = [...english].map(([key, text]) => [sample(text), sample(other.get(key))]);
    const same = pairs.filter(([before]) => before === words).map(([, after]) => escaped(after));
    const found = same.length > 0 ? same : pairs.flatMap(([before, after]) => {
      const holes = new RegExp(`^${escaped(before).replace(/⟨\d⟩/g, '(.+)')}$`, 'u').exec(words);
      if (holes && before !== '⟨0⟩')
        return [escaped(after.replace(/⟨(\d)⟩/g, (_, index) => holes[Number(index) + 1]))];
      return before.startsWith(words) && /⟨/.test(before)
        ? [escaped(after.replace(/[\u2066-\u2069]/g, '')).replace(/⟨\d⟩/g, '.*')]
        : [];
    });
    const any = found.length > 0 ? found.join('|') : escaped(words);
    return exact ? new RegExp(`^(?:${any})$`) : new RegExp(any, 'i');
  };
}
