// Completion: the word before the caret, and what it could become. Pure.

import { COMMANDS } from './commands.js';
import { beginsMention, nameKey } from './mention.js';
import { before, joins } from './words.js';

/** How many suggestions are offered at most. */
const MOST = 10;

/** An emoji begins after white space, an opening bracket or quote, or a character outside ASCII that ends no word. */
const beginsEmoji = (text, at) => /^(?:[\s([{"'*~>]|[^\0-\x7f])?$/u.test(before(text, at)) && !joins(before(text, at));

/** The longest word that can be completed, in code units: a name of 32 characters, in decomposed letters. */
const WORD_MOST = 66;
const WORDS = [
  { sign: '/', pattern: /^\s*(\/[a-z]*)$/i, begins: () => true },
  { sign: '@', pattern: /([@＠](?:[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*)?)$/u, begins: beginsMention },
  { sign: ':', pattern: /(:[a-z0-9+]?[a-z0-9_+-]*)$/, begins: beginsEmoji },
];

/** The word before the caret: `{ sign, typed, from }`, where `from` is where it begins; or null. */
export function wordAt(text, caret) {
  // Inside a word nothing is offered: the rest after the caret would be left over.
  const next = /^[.-]*([\p{L}\p{M}\p{N}_])/u.exec(text.slice(caret, caret + WORD_MOST))?.[1];
  if (next && joins(next)) return null;
  for (const { sign, pattern, begins } of WORDS) {
    const written = text.slice(sign === '/' ? 0 : Math.max(0, caret - WORD_MOST), caret);
    const typed = pattern.exec(written)?.[1];
    if (typed !== undefined && begins(text, caret - typed.length)) return { sign, typed, from: caret - typed.length };
  }
  return null;
}

/** How well a word fits what was typed: 0 the same, 1 begins with it, 2 a part begins with it, 3 contains it; null: not at all. */
export function fit(word, typed) {
  const [whole, part] = [nameKey(word), nameKey(typed)];
  if (whole === part) return 0;
  if (whole.startsWith(part)) return 1;
  const at = whole.indexOf(part);
  if (at < 0) return null;
  return /[-_. ]/.test(whole[at - 1]) ? 2 : 3;
}

/** The `words` that fit, the best first, else in their order. `of(word)` returns the text to compare. */
export function ranked(words, typed, of = (word) => word) {
  return words.map((word) => ({ word, rank: fit(of(word), typed) })).filter(({ rank }) => rank !== null)
    .sort((one, other) => one.rank - other.rank).map(({ word }) => word);
}

/**
 * What the word could become: `[{ value, label, hint, whole }]`. `value` replaces the word; `whole` is true where it is
 * complete already. `people` are names, the likeliest first; `emoji` is a list of `[name, character]`.
 */
export function suggestions(word, { people, emoji }) {
  const typed = word.typed.slice(1);
  const found = {
    '/': () => ranked(COMMANDS, typed, (command) => command.word).filter((command) => fit(command.word, typed) < 2)
      .map((command) => ({ value: `/${command.word}${command.needs && ' '}`, label: `/${command.word} ${command.needs}`.trim(), hint: command.does })),
    '@': () => ranked(people, typed).map((name) => ({ value: `@${name} `, label: `@${name}`, hint: '' })),
    ':': () => ranked(emoji, typed, ([name]) => name).map(([name, character]) => ({ value: `:${name}: `, label: `${character} :${name}:`, hint: '' })),
  }[word.sign]().slice(0, MOST);
  return found.map((one) => ({ ...one, whole: nameKey(one.value.trim()) === nameKey(word.typed) }));
}

/**
 * Whether Enter takes a suggestion instead of sending the line: where one was chosen with the arrow keys, or where the word
 * is only the beginning of one. A `:` with at most one letter is more often a face than an emoji's name.
 */
export function entersSuggestion(word, list, chosen) {
  if (list.length === 0) return false;
  if (chosen) return true;
  return !list.some(({ whole }) => whole) && (word.sign !== ':' || word.typed.length > 2);
}

/** The text with the word replaced, and the caret after it. White space that follows is not doubled. */
export function replaced(text, word, value) {
  const rest = text.slice(word.from + word.typed.length);
  const head = text.slice(0, word.from) + (/^\s/.test(rest) ? value.trimEnd() : value);
  return { text: head + rest, caret: head.length + (/^\s/.test(rest) && /\s$/.test(value) ? 1 : 0) };
}
