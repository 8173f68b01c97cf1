// Completion of commands, mentions and emoji: the word before the caret, and its suggestions. Pure.

import * as commands from './commands.js';
import { before, beginsMention, joins, nameKey } from './mention.js';

const MAX_SUGGESTIONS = 10;

/**
 * An emoji begins after white space, an opening bracket or quote, or a character outside ASCII that
 * ends no word.
 */
const beginsEmoji = (text, at) =>
  /^(?:[\s([{"'*~>]|[^\0-\x7f])?$/u.test(before(text, at)) && !joins(before(text, at));

/** The longest word in code units: a name of 32 characters, in decomposed letters. */
const MAX_WORD = 66;
const WORDS = [
  { sign: '/', pattern: /^\s*(\/[a-z]*)$/i, begins: () => true },
  { sign: '@', pattern: /([@＠](?:[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*)?)$/u, begins: beginsMention },
  { sign: ':', pattern: /(:[a-z0-9+]?[a-z0-9_+-]*)$/, begins: beginsEmoji },
];

/** The word before the caret: `{ sign, typed, from }`, where `from` is where it begins; or null. */
export function wordAt(text, caret) {
  // Inside a word nothing is offered: the rest after the caret would be left over.
  const next = /^[.-]*([\p{L}\p{M}\p{N}_])/u.exec(text.slice(caret, caret + MAX_WORD))?.[1];
  if (next && joins(next)) return null;
  for (const { sign, pattern, begins } of WORDS) {
    const written = text.slice(sign === '/' ? 0 : Math.max(0, caret - MAX_WORD), caret);
    const typed = pattern.exec(written)?.[1];
    if (typed !== undefined && begins(text, caret - typed.length))
      return { sign, typed, from: caret - typed.length };
  }
  return null;
}

/**
 * How well a word fits: 0 the same, 1 begins with `typed`, 2 a part begins with it, 3 contains it;
 * null: not at all.
 */
export function fit(word, typed) {
  const [whole, part] = [nameKey(word), nameKey(typed)];
  const at = whole.indexOf(part);
  if (at < 0) return null;
  if (at === 0) return whole === part ? 0 : 1;
  return /[-_. ]/.test(whole[at - 1]) ? 2 : 3;
}

/**
 * The `words` that fit, the best first, else in their order. `of(word)` returns the text to
 * compare.
 */
export function ranked(words, typed, of = (word) => word) {
  return words.map((word) => ({ word, rank: fit(of(word), typed) })).filter(({ rank }) =>
    rank !== null
  )
    .sort((one, other) => one.rank - other.rank).map(({ word }) => word);
}

/**
 * What the word could become: `[{ value, label, hint, whole }]`. `value` replaces the word; `whole`
 * is true if the word is complete already. `people` are names, the likeliest first; `emoji` is a
 * list of `[name, character]`.
 */
export function suggestions({ sign, typed: word }, { people, emoji }) {
  const typed = word.slice(1);
  const suggestion = (value, label, hint = '') => (
    { value, label, hint, whole: nameKey(value.trim()) === nameKey(word) }
  );
  const find = {
    '/': () =>
      ranked(commands.all().filter((command) => fit(command.word, typed) < 2), typed, (command) =>
        command.word)
        .map(({ word: name, needs, does }) =>
          suggestion(`/${name}${needs && ' '}`, `/${name} ${needs}`.trim(), does)
        ),
    '@': () => ranked(people, typed).map((name) => suggestion(`@${name} `, `@${name}`)),
    ':': () =>
      ranked(emoji, typed, ([name]) => name)
        .map(([name, character]) => suggestion(`:${name}: `, `${character} :${name}:`)),
  }[sign];
  return find().slice(0, MAX_SUGGESTIONS);
}

/**
 * Whether Enter takes a suggestion instead of sending the line: if the arrow keys chose one, or if
 * the word is only the beginning of one. A `:` with at most one letter is more often a smiley than
 * an emoji's name.
 */
export function entersSuggestion(word, list, chosen) {
  const isBeginning = !list.some(({ whole }) => whole)
    && (word.sign !== ':' || word.typed.length > 2);
  return list.length > 0 && (Boolean(chosen) || isBeginning);
}

/**
 * The text with the word replaced, and the caret after it. White space that follows is not doubled.
 */
export function replaced(text, word, value) {
  const rest = text.slice(word.from + word.typed.length);
  const isSpaced = /^\s/.test(rest);
  const head = text.slice(0, word.from) + (isSpaced ? value.trimEnd() : value);
  return { text: head + rest, caret: head.length + (isSpaced && value.endsWith(' ') ? 1 : 0) };
}
