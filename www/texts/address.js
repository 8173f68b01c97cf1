// The part of the address behind `#`: `#channel` for a channel, `#@name` for a person.
//
// Not here: the browser's history (chat.js).

/** What an address means: `{ kind, name }`, or null where it names no place. */
export function parse(hash) {
  let text;
  try {
    text = decodeURIComponent(hash.replace(/^#/, ''));
  } catch {
    return null; // half an escape
  }
  const isPerson = text.startsWith('@');
  const name = isPerson ? text.slice(1) : text;
  return name === '' ? null : { kind: isPerson ? 'person' : 'channel', name };
}

/** The address of a place. */
export function of(place) {
  return `#${place.kind === 'person' ? '@' : ''}${encodeURIComponent(place.name)}`;
}
