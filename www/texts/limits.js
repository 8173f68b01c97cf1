// What the server accepts as a text, so that the composer can refuse what it would refuse. Pure.

/** A text without the control characters that the server refuses; a terminal's output, pasted, has some. */
export const printable = (text) => text.replace(/[^\P{Cc}\n\t]/gu, '');

/** How many characters a text has for the server, which counts Unicode scalars and not UTF-16 units. */
export function characters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
