// Addresses: of files beside the page, and the part after `#`: `#channel` for a channel,
// `#channel/842` for a message in it, `#@name` for a person.

/**
 * The URL of a path beside the page at `pageUrl`. Without the name and password that this may have,
 * as in `http://ada:pw@host/`: `fetch` refuses them, and the browser sends what it knows by itself.
 */
export function beside(path, pageUrl) {
  const url = new URL(path, pageUrl);
  url.username = url.password = '';
  return url;
}

/**
 * Parses an address: `{ kind, name }` and perhaps `seq`, or null if it names no room. No name has a
 * slash.
 */
export function parse(hash) {
  let text;
  try {
    text = decodeURIComponent(hash.replace(/^#/, ''));
  } catch {
    return null; // half an escape
  }
  const [, sign, name, seq] = /^(@?)([^]*?)(?:\/(\d{1,15}))?$/.exec(text);
  return name === ''
    ? null
    : { kind: sign ? 'person' : 'channel', name, ...(seq && { seq: Number(seq) }) };
}

/** The address of a room, or of the message `seq` in it. */
export function of(room, seq = null) {
  return `#${room.kind === 'person' ? '@' : ''}${encodeURIComponent(room.name)}${
    seq === null ? '' : `/${seq}`
  }`;
}

/**
 * The secrets of a link, `#owner=KEY`, `#password=WORD` or both joined by `&`: `{ owner, password
 * }`; null if there is none.
 */
export function secrets(hash) {
  if (!/^#(owner|password)=/.test(hash)) return null;
  return Object.fromEntries(hash.slice(1).split('&').map((part) => {
    const [, name, value] = /^([^=]*)=?([^]*)$/.exec(part);
    try {
      return [name, decodeURIComponent(value)];
    } catch {
      return [name, value]; // half an escape
    }
  }));
}

/** The part after `#` of a link that has the room's password. */
export const withPassword = (password) => `#password=${encodeURIComponent(password)}`;
