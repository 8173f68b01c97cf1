// Word boundaries, including those of scripts that put no space between words. Pure.

const WORD = /[\p{L}\p{M}\p{N}_]/u;
const MARK = /^\p{M}$/u;

/** A character of a script that is written without spaces, or that attaches endings to names (Hangul). */
export const UNSPACED = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{scx=Hang}\p{scx=Yiii}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}\p{scx=Tibt}]/u;

/** Whether a character continues a word: `a` does after `b`, `中` after `b` does not. False for an empty string. */
export const joins = (character) => WORD.test(character) && !UNSPACED.test(character);

/** The whole character before an index, without the marks on it; empty at the beginning. */
export function before(text, index) {
  let character = '';
  for (let end = index; end > 0; end -= character.length) {
    character = /[\uDC00-\uDFFF]/.test(text[end - 1]) ? text.slice(Math.max(0, end - 2), end) : text[end - 1];
    if (!MARK.test(character)) return character;
  }
  return '';
}

/** The whole character at an index; empty at the end. */
export const after = (text, index) => (index >= text.length ? '' : String.fromCodePoint(text.codePointAt(index)));
