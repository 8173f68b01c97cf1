// Addresses: of what lies beside the page, and the part after `#`: `#channel` for a channel, `#@name` for a person.

/**
 * The URL of a path beside the page at `pageUrl`. Without the name and password that this may have, as in
 * `http://ada:pw@host/`: `fetch` refuses them, and the browser sends what it knows by itself.
 */
export function beside(path, pageUrl) {
  const url = new URL(path, pageUrl);
  url.username = url.password = '';
  return url;
}

/** Parses an address: `{ kind, name }`, or null if it names no room. */
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
