// Mentions: where `@name` addresses a user. The one rule that rendering, the bell and completion share. Pure.
//
// A mention begins at an `@` that is not inside a word, an e-mail address or a URL path, and takes the longest name that it
// can: `@ada-lovelace` and `@ada@example.com` don't mention `ada`; `@ada.`, `@ada's` and `@ada你好` do.

import { UNSPACED, after, before, joins } from './words.js';

const RUN = /[@＠]([\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*)/uy;
/** `@ada@example.com` and `@ada:example.com` are accounts of other services. */
const HOST = /[@＠:][\p{L}\p{N}-]+\.\p{L}/uy;
const ANOTHER = /[@＠]([\p{L}\p{N}])/uy;
/** `@bob/@ada` mentions both, while `example.com/@ada` is an address. */
const MENTION_BEFORE_SLASH = /(?:^|\s)[@＠][\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,31}\/$/u;
/** A name has at most 32 characters; in decomposed letters that can be more. */
const MOST = 64;

/** A name in the form in which names are compared: in composed letters, in lower case. */
export const nameKey = (name) => name.normalize('NFKC').toLowerCase();

/** Whether two spellings are the same name. */
export const isSameName = (one, other) => Boolean(one) && Boolean(other) && nameKey(one) === nameKey(other);

/** Whether an `@` at this index can begin a mention. */
export function beginsMention(text, at) {
  const character = before(text, at);
  if (character === '/') return MENTION_BEFORE_SLASH.test(text.slice(Math.max(0, at - MOST), at));
  return !joins(character) && character !== '=' && character !== '#';
}

/**
 * The mention at this index: `{ name, end }`, or null. `isUser(name)` says which names exist; of several that fit, the longest
 * existing one is taken. Where none exists, the name ends before a change to a script without spaces.
 */
export function mentionAt(text, at, isUser) {
  if (!beginsMention(text, at)) return null;
  RUN.lastIndex = at;
  const run = RUN.exec(text)?.[1];
  if (run === undefined) return null;
  const end = at + 1 + run.length;
  if (matches(HOST, text, end)) return null;
  const next = matches(ANOTHER, text, end)?.[1];
  if (next && joins(next) && joins(before(run, run.length))) return null;
  const ends = nameEnds(run);
  const length = ends.find((length) => isUser(run.slice(0, length))) ?? ends.find((length) => changesScript(run, length))
    ?? run.replace(/[.-]+$/, '').length;
  return { name: run.slice(0, length), end: at + 1 + length };
}

/** The lengths that a name at the beginning of a run can have, the longest first. */
function nameEnds(run) {
  const ends = [];
  const spoken = run.replace(/[.-]+$/, '').length;
  let character = '';
  for (let index = 0; index < Math.min(run.length, MOST); index += character.length) {
    const next = String.fromCodePoint(run.codePointAt(index));
    if (index >= spoken || (index > 0 && separates(character, next))) ends.push(index);
    character = next;
  }
  if (run.length <= MOST) ends.push(run.length);
  return ends.reverse();
}

/** Whether a name can end between these two characters, although the second could continue it. */
const separates = (character, next) => (
  !/[\p{M}\p{N}_.-]/u.test(next) && (UNSPACED.test(character) || UNSPACED.test(next)));

const changesScript = (run, end) => joins(before(run, end)) && UNSPACED.test(after(run, end));

function matches(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
