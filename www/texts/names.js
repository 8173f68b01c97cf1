// Names: how a list of them is sorted, and another name to offer for one that the server refuses.
// Pure.

import { locale } from './language.js';

let collator = null; // one for all: making it is slow

/** Compares names as the language of the page sorts them, ignoring case. */
export function byName(one, other) {
  collator ??= new Intl.Collator(locale(), { sensitivity: 'base' });
  return collator.compare(one, other);
}

const MAX_LENGTH = 32;
const trimmed = (name) => [...name].slice(0, MAX_LENGTH).join('').replace(/[-_.]+$/, '');

/**
 * Returns a name to offer instead of one that was refused with this code, or null: another number
 * if it is taken, no spaces if it is invalid. Without a code, only a name with a space is invalid.
 */
export function alternativeName(name, code = /\s/.test(name) ? 'bad_name' : '') {
  if (code === 'name_taken') return numbered(name.trim());
  if (code !== 'bad_name') return null;
  const legal = trimmed(
    name.normalize('NFKC').trim().replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, '-').replace(
      /^[^\p{L}\p{N}]+/u,
      '',
    ),
  );
  return legal === '' || legal === name ? null : legal;
}

/** `Ada` → `Ada2`, `Ada2` → `Ada3`. */
function numbered(name) {
  const [, stem, digits] = /^(.*?)(\d{0,6})$/su.exec(name);
  const number = String(Number(digits || 1) + 1);
  return stem === ''
    ? `guest${number}`
    : `${[...stem].slice(0, MAX_LENGTH - number.length).join('')}${number}`;
}
