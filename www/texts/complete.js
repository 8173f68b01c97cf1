// Completion: which word is being written in front of the caret, and what it could become.
//
// Pure. Not here: the list that is shown (suggestions.js), where names and emoji come from (composer.js).

import { COMMANDS } from './commands.js';

/** So many are offered at most. */
const MOST = 10;

/** `@` and `:` after white space or a bracket, `/` as the first thing of all. */
const WORDS = [
  { sign: '/', before: /^\s*(\/[a-z]*)$/i },
  { sign: '@', before: /(?:^|[\s([{"'])(@[^\s@]{0,32})$/u },
  { sign: ':', before: /(?:^|[\s([{"'])(:[a-z0-9+]?[a-z0-9_+-]*)$/ },
];

/** The word in front of the caret: `{ sign, typed, from }`, where `from` is where it begins; or null. */
export function wordAt(text, caret) {
  const before = text.slice(0, caret);
  // In the middle of a word nothing is offered: what stands behind the caret would be left over.
  if (/^[^\s.,;:!?)\]}"']/u.test(text.slice(caret))) return null;
  for (const { sign, before: pattern } of WORDS) {
    const typed = pattern.exec(before)?.[1];
    if (typed !== undefined) return { sign, typed, from: caret - typed.length };
  }
  return null;
}

/** How well a word fits what was typed: 0 the same, 1 begins so, 2 a part of it begins so, 3 it is inside; null: not at all. */
export function fit(word, typed) {
  const [whole, part] = [word.toLocaleLowerCase(), typed.toLocaleLowerCase()];
  if (whole === part) return 0;
  if (whole.startsWith(part)) return 1;
  const at = whole.indexOf(part);
  if (at < 0) return null;
  return /[-_. ]/.test(whole[at - 1]) ? 2 : 3;
}

/** Those of `words` that fit, the best first, else in their order. `of(word)` gives the text that is compared. */
export function ranked(words, typed, of = (word) => word) {
  return words.map((word) => ({ word, rank: fit(of(word), typed) })).filter(({ rank }) => rank !== null)
    .sort((one, other) => one.rank - other.rank).map(({ word }) => word);
}

/**
 * What the word could become: `[{ value, label, hint, whole }]`, where `value` replaces it and `whole` says that it is what
 * stands there already. `people` are names, the likeliest first; `emoji` is a list of `[name, character]`.
 */
export function suggestions(word, { people, emoji }) {
  const typed = word.typed.slice(1);
  const found = {
    '/': () => ranked(COMMANDS, typed, (command) => command.word).filter((command) => fit(command.word, typed) < 2)
      .map((command) => ({ value: `/${command.word}${command.needs && ' '}`, label: `/${command.word} ${command.needs}`.trim(), hint: command.does })),
    '@': () => ranked(people, typed).map((name) => ({ value: `@${name} `, label: `@${name}`, hint: '' })),
    ':': () => ranked(emoji, typed, ([name]) => name).map(([name, character]) => ({ value: `:${name}: `, label: `${character} :${name}:`, hint: '' })),
  }[word.sign]().slice(0, MOST);
  return found.map((one) => ({ ...one, whole: one.value.trim().toLowerCase() === word.typed.toLowerCase() }));
}

/**
 * Whether Enter takes a suggestion instead of sending the line: where one was chosen with the arrows, or where what stands
 * there is only the beginning of one. A lone `:` or one letter behind it is more often a face than an emoji's name.
 */
export function entersSuggestion(word, list, chosen) {
  if (list.length === 0) return false;
  if (chosen) return true;
  return !list.some(({ whole }) => whole) && (word.sign !== ':' || word.typed.length > 2);
}

/** The text with the word replaced, and where the caret is then. White space that follows is not doubled. */
export function replaced(text, word, value) {
  const rest = text.slice(word.from + word.typed.length);
  const head = text.slice(0, word.from) + (/^\s/.test(rest) ? value.trimEnd() : value);
  return { text: head + rest, caret: head.length + (/^\s/.test(rest) && /\s$/.test(value) ? 1 : 0) };
}
