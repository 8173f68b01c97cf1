// Where `@name` mentions a user, and where words begin and end. Rendering, notifications and
// completion share it. Pure.
//
// A mention begins at an `@` that is not inside a word, an e-mail address or a URL path. It takes
// the longest name that fits: `@ada-lovelace` and `@ada@example.com` don't mention `ada`; `@ada.`,
// `@ada's` and `@ada你好` do.

const WORD = /[\p{L}\p{M}\p{N}_]/u;
const MARK = /^\p{M}$/u;
/**
 * A character of a script that is written without spaces, or that attaches endings to names
 * (Hangul).
 */
export const UNSPACED =
  /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{scx=Hang}\p{scx=Yiii}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}\p{scx=Tibt}]/u;

const RUN = /[@＠]([\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*)/uy;
/** `@ada@example.com` and `@ada:example.com` are accounts of other services. */
const HOST = /[@＠:][\p{L}\p{N}-]+\.\p{L}/uy;
const ANOTHER = /[@＠]([\p{L}\p{N}])/uy;
/** `@bob/@ada` mentions both, while `example.com/@ada` is an address. */
const MENTION_BEFORE_SLASH = /(?:^|\s)[@＠][\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,31}\/$/u;
/** A name has at most 32 characters; in decomposed letters that can be more. */
const MAX_NAME = 64;

/**
 * Whether a character continues a word: `a` does after `b`, `中` after `b` does not. False for an
 * empty string.
 */
export const joins = (character) => WORD.test(character) && !UNSPACED.test(character);

/** The whole character before an index, without the marks on it; empty at the beginning. */
export function before(text, index) {
  let character = '';
  for (let end = index; end > 0; end -= character.length) {
    character = /[\uDC00-\uDFFF]/.test(text[end - 1])
      ? text.slice(Math.max(0, end - 2), end)
      : text[end - 1];
    if (!MARK.test(character)) return character;
  }
  return '';
}

/** The whole character at an index; empty at the end. */
export const after = (text,
  index) => (index >= text.length ? '' : String.fromCodePoint(text.codePointAt(index)));

/** Matches a sticky pattern at an index. */
export function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The form in which names are compared: composed letters, lower case. */
export const nameKey = (name) => name.normalize('NFKC').toLowerCase();

/** Whether two spellings are the same name. */
export const isSameName = (one, other) => Boolean(one && other) && nameKey(one) === nameKey(other);

/** Whether an `@` at this index can begin a mention. */
export function beginsMention(text, at) {
  const character = before(text, at);
  if (character === '/')
    return MENTION_BEFORE_SLASH.test(text.slice(Math.max(0, at - MAX_NAME), at));
  return !joins(character) && character !== '=' && character !== '#';
}

/**
 * The mention at this index: `{ name, end }`, or null. `isUser(name)` says which names exist; the
 * longest existing name is taken. If none exists, the name ends before a change to a script without
 * spaces.
 */
export function mentionAt(text, at, isUser) {
  const run = beginsMention(text, at) && matchAt(RUN, text, at)?.[1];
  if (!run) return null;
  const end = at + 1 + run.length;
  if (matchAt(HOST, text, end)) return null;
  const next = matchAt(ANOTHER, text, end)?.[1];
  if (next && joins(next) && joins(before(run, run.length))) return null;
  const ends = nameEnds(run);
  const length = ends.find((length) => isUser(run.slice(0, length)))
    ?? ends.find((length) => joins(before(run, length)) && UNSPACED.test(after(run, length)))
    ?? run.replace(/[.-]+$/, '').length;
  return { name: run.slice(0, length), end: at + 1 + length };
}

/** The lengths that a name at the beginning of a run can have, the longest first. */
export function nameEnds(run) {
  const ends = [];
  const spoken = run.replace(/[.-]+$/, '').length;
  let character = '';
  for (let index = 0; index < Math.min(run.length, MAX_NAME); index += character.length) {
    const next = String.fromCodePoint(run.codePointAt(index));
    if (index >= spoken || (index > 0 && separates(character, next))) ends.push(index);
    character = next;
  }
  if (run.length <= MAX_NAME) ends.push(run.length);
  return ends.reverse();
}

/** Whether a name can end between these two characters, although the second could continue it. */
const separates = (character, next) => (
  !/[\p{M}\p{N}_.-]/u.test(next) && (UNSPACED.test(character) || UNSPACED.test(next))
);
