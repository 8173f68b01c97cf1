// A letter and a colour for a name, so that the eye finds who speaks. Pure.

const HUES = 8;

/** The first letter of a name, in upper case where it has one. */
export function initial(name) {
  return ([...name][0] ?? '').toLocaleUpperCase();
}

/** A class of style.css: the same name has the same colour on every page. */
export function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return `hue-${sum % HUES}`;
}
