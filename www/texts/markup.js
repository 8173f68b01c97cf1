// What a text means: links, mentions, emoji, and a small safe part of Markdown. Pure: a text goes in, a tree of plain objects
// comes out; nothing in it is markup of any kind, and no letter that was written is lost but the marks that have a meaning.
//
//   blocks   text { parts } · quote { parts } · code { text }
//   parts    plain { text } · code { text } · bold { parts } · italic { parts } · link { text, href, host } · mention { text, name }
//
// Not here: the nodes (texts.js), whether a text speaks to the reader (mention.js).

import { EMOJI } from './emoji.js';

const FENCE = /^```[\w+-]*\s*$/;
const QUOTE = /^> ?/;
/** Where something may begin. */
const SIGN = /[`*_:@]|https?:\/\//giu;
const WORD = /[\p{L}\p{M}\p{N}_]/u;
/** No address goes on over white space, control and format characters: what turns the direction of a text is among them. */
const ADDRESS = /https?:\/\/[^\s<>"`\p{Cc}\p{Cf}]+/iuy;
const NAME = /@([\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,31})/uy;
const COLONS = /:([a-z0-9_+-]{1,32}):/y;

/** The blocks of a text. */
export function parse(text) {
  const blocks = [];
  let open = null; // lines of one kind that follow one another are one block
  const lines = text.split('\n');
  const add = (kind, line) => {
    if (open?.kind !== kind) blocks.push(open = { kind, lines: [] });
    open.lines.push(line);
  };
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    // A fence that is never closed is no fence.
    const end = FENCE.test(line) ? lines.findIndex((other, at) => at > index && other.trimEnd() === '```') : -1;
    if (end > index + 1) {
      blocks.push(open = { kind: 'code', lines: lines.slice(index + 1, end) });
      open = null;
      index = end;
    } else if (QUOTE.test(line)) add('quote', line.replace(QUOTE, ''));
    else add('text', line);
  }
  return blocks.map(({ kind, lines: own }) => (
    kind === 'code' ? { kind, text: own.join('\n') } : { kind, parts: inline(own.join('\n')) }));
}

/** `inside` names the marks that stand around: bold in bold is none. */
function inline(text, inside = '') {
  const parts = [];
  let from = 0;
  const upTo = (end) => {
    if (end > from) plain(parts, text.slice(from, end));
  };
  for (let at = 0; at < text.length;) {
    SIGN.lastIndex = at;
    const sign = SIGN.exec(text);
    if (!sign) break;
    at = sign.index;
    const found = READ[sign[0]]?.(text, at, inside) ?? (sign[0].length > 1 ? link(text, at) : null);
    if (found) {
      upTo(at);
      if (found.part.kind === 'plain') plain(parts, found.part.text);
      else parts.push(found.part);
      at = from = found.end;
    } else {
      at += sign[0].length;
    }
  }
  upTo(text.length);
  return parts;
}

function plain(parts, text) {
  const last = parts.at(-1);
  if (last?.kind === 'plain') last.text += text;
  else parts.push({ kind: 'plain', text });
}

/** What each sign may be the beginning of: `{ part, end }`, or null where it is only itself. */
const READ = {
  '`'(text, at) {
    const end = text.indexOf('`', at + 1);
    const code = text.slice(at + 1, end);
    return end > at + 1 && !code.includes('\n') ? { part: { kind: 'code', text: code }, end: end + 1 } : null;
  },
  '*': (text, at, inside) => (text[at + 1] === '*' ? around(text, at, '**', 'bold', inside) : around(text, at, '*', 'italic', inside)),
  _: (text, at, inside) => around(text, at, '_', 'italic', inside),
  ':'(text, at) {
    const name = !WORD.test(before(text, at)) && take(COLONS, text, at)?.[1];
    return name && EMOJI.has(name) ? { part: { kind: 'plain', text: EMOJI.get(name) }, end: at + name.length + 2 } : null;
  },
  '@'(text, at) {
    if (WORD.test(before(text, at))) return null; // an address of mail
    const found = take(NAME, text, at)?.[0].replace(/[.-]+$/, '');
    return found ? { part: { kind: 'mention', text: found, name: found.slice(1) }, end: at + found.length } : null;
  },
};

/** Text between two marks, which stand close to it and apart from other words, on one line. */
function around(text, at, mark, kind, inside) {
  if (inside.includes(kind) || WORD.test(before(text, at)) || before(text, at) === mark[0]) return null;
  const start = at + mark.length;
  if (start >= text.length || /[\s*_]/.test(text[start])) return null;
  const line = text.indexOf('\n', start);
  for (let end = text.indexOf(mark, start + 1); end > 0 && (line < 0 || end < line); end = text.indexOf(mark, end + 1)) {
    const behind = after(text, end + mark.length);
    if (/\s/.test(text[end - 1]) || behind === mark[0] || WORD.test(behind)) continue;
    return { part: { kind, parts: inline(text.slice(start, end), `${inside} ${kind}`) }, end: end + mark.length };
  }
  return null;
}

function link(text, at) {
  if (WORD.test(before(text, at))) return null;
  const written = bare(take(ADDRESS, text, at)?.[0] ?? '');
  if (!URL.canParse(written)) return null;
  const { href, host } = new URL(written);
  const shown = /^https?:\/\/([^/?#\\]*)/i.exec(written)[1].toLowerCase();
  // The host is told where the text does not show it plainly: a name before an @, letters that only look like others.
  return { part: { kind: 'link', text: written, href, host: shown === host ? null : host }, end: at + written.length };
}

/** An address without what belongs to the sentence around it: its signs, and brackets that the address did not open. */
function bare(address) {
  let spare = address.split(')').length - address.split('(').length;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (last === ')' ? spare-- <= 0 : !".,;:!?'*_~".includes(last)) break;
  }
  return address.slice(0, end);
}

function take(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The character before a place, and the one at it; whole ones, where UTF-16 has two halves. */
const before = (text, at) => (at === 0 ? '' : /[\uDC00-\uDFFF]/.test(text[at - 1]) ? text.slice(at - 2, at) : text[at - 1]);
const after = (text, at) => (at >= text.length ? '' : String.fromCodePoint(text.codePointAt(at)));
