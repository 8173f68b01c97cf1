// A letter and a colour for a name. The letter is drawn by the style sheet, so that it is neither
// copied nor read out.

import { element, set } from './dom.js';

const HUES = 16;

/** The first letter of a name, in upper case. */
export function initial(name) {
  return ([...name][0] ?? '').toLocaleUpperCase();
}

/** A class of the style sheet: the same name has the same colour on every page. */
export function hue(name) {
  let hash = 0x811C9DC5; // FNV-1a, and a last mix: names that differ in one letter differ in colour
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2C1B3C6D);
  return `hue-${(hash ^ (hash >>> 13)) >>> 0 & (HUES - 1)}`;
}

/** Shows a name's letter and colour in a node; `size` is '' or 'small'. */
export function showAvatar(node, name, size = '') {
  set(node, 'class', `avatar ${size} ${hue(name)}`);
  set(node, 'data-letter', initial(name));
}

export function avatar(name, size) {
  const node = element('span', { 'aria-hidden': 'true' });
  showAvatar(node, name, size);
  return node;
}
