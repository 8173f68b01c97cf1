// Which parts of a text match a search: case-folded and NFKC-normalized, as the server compares.
// Pure.

/** Characters of a text that are shown around the first match. */
const BEFORE = 60, MOST = 240;

const fold = (text) => text.normalize('NFKC').toLowerCase();

/** A text in parts `[part, isMatch]`, cut to the surroundings of the first match. */
export function marked(text, wanted) {
  const needle = fold(wanted);
  let folded = '';
  const origin = []; // for each unit of `folded` the index in `text` that it comes from
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    const form = fold(segment);
    for (let unit = 0; unit < form.length; unit += 1) origin.push(index);
    folded += form;
  }
  origin.push(text.length);
  const parts = [];
  const first = needle === '' ? -1 : folded.indexOf(needle);
  const start = first < 0 ? 0 : Math.max(0, origin[first] - BEFORE);
  const end = Math.min(text.length, start + MOST);
  let from = start;
  for (
    let at = first;
    at >= 0 && origin[at] < end;
    at = folded.indexOf(needle, at + needle.length)
  ) {
    // A match may end within a character, as one of "f" does in "ﬁ": the whole one is marked.
    let last = at + needle.length;
    while (last < origin.length - 1 && origin[last] === origin[last - 1]) last += 1;
    if (origin[at] < from) continue;
    parts.push([text.slice(from, origin[at]), false], [text.slice(origin[at], origin[last]), true]);
    from = origin[last];
  }
  parts.push([text.slice(from, Math.max(from, end)), false]);
  return [
    ...(start > 0 ? [['…', false]] : []),
    ...parts,
    ...(end < text.length ? [['…', false]] : []),
  ].filter(([part]) => part !== '');
}
