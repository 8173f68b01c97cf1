// What the server accepts as a text, so that the composer can refuse the rest. Pure.

/** Drops the control characters that the server refuses; pasted terminal output has some. */
export const printable = (text) => text.replace(/[^\P{Cc}\n\t]/gu, '');

/** The length of a text in Unicode scalars, as the server counts it. */
export function characters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
