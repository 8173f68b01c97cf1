// A letter and a colour for a name. The letter is drawn by the style sheet, so that it is neither copied nor read out.

import { element, set } from './dom.js';

const HUES = 8;

/** The first letter of a name, in upper case. */
export function initial(name) {
  return ([...name][0] ?? '').toLocaleUpperCase();
}

/** A class of the style sheet: the same name has the same colour on every page. */
export function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return `hue-${sum % HUES}`;
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
