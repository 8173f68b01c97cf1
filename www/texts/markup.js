// Parses a text: links, mentions, emoji, and a small, safe part of Markdown. Pure: takes a text,
// returns plain objects.
//
//   blocks   text { parts } · quote { parts } · code { text }
//            list { items: [{ number, parts }] }, where number is null without one
//   parts    plain { text } · code { text } · bold { parts } · italic { parts } · strike { parts }
//            link { text, href, host } · mention { text, name } · channel { text, name, seq }
//
// The time is linear in the length of the text, whatever it holds. views/rich-text.js makes the
// nodes.

import { EMOJI } from './emoji.js';
import { UNSPACED, after, before, isSameName, joins, matchAt, mentionAt, nameEnds } from './mention.js';

const FENCE = /^```[\w+-]*\s*$/;
const QUOTE = /^> ?/;
/** A line of a list; a number alone may be a date, so a numbered list has two lines at least. */
const ITEM = /^ {0,3}(?:[-*•]|(\d{1,3})[.)]) +(?=\S)/;
/** The characters that can begin a part. */
const SIGN = /`+|\*+|_+|~+|[:@＠#]|https?:\/\//giu;
const RUN = /`+|\*+|_+|~+/g;
/** The marks of emphasis, and which lengths of a run close them. */
const MARKS = {
  '*': { kind: 'italic', closes: [1, 3] },
  '**': { kind: 'bold', closes: [2, 3] },
  _: { kind: 'italic', closes: [1] },
  '~~': { kind: 'strike', closes: [2] },
};
const CHANNEL = /#([\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*)(?:\/(\d{1,15})(?![\p{L}\p{N}_]))?/uy;
const COLONS = /:([a-z0-9_+-]{1,32}):/y;
/**
 * Scheme, user information, host and port. Punctuation ends it, typographic and full-width
 * punctuation too.
 */
const ORIGIN =
  /(https?:\/\/)((?:[\p{L}\p{M}\p{N}._~%$&+=:-]*@)?)(\[[\da-f:.]+\]|[\p{L}\p{M}\p{N}._-]+)((?::\d+)?)/iuy;
/**
 * The rest of an address: visible ASCII but `"<>` and the backtick, and letters, marks and digits
 * of any script.
 */
const REST = /[/?#\\][!#-;=?-_a-~\p{L}\p{M}\p{N}·‐–]*/uy;
/**
 * A complete host, as the part of a host before letters of a script without spaces: `example.com`
 * in `example.com你好`.
 */
const COMPLETE = /^(?:[a-z0-9_-]+\.)+[a-z0-9-]*[a-z0-9]$|^localhost$/i;

/**
 * The blocks of a text. `isUser(name)` and `isChannel(name)` say which names exist (see
 * mention.js).
 */
export function parse(text, isUser = () => false, isChannel = () => false) {
  const blocks = [];
  const lines = text.split('\n');
  const closing = closingFences(lines);
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    const end = FENCE.test(line) ? closing[index] : -1;
    if (end > index + 1) { // a fence without a closing one is text
      blocks.push({ kind: 'code', text: lines.slice(index + 1, end).join('\n') });
      index = end;
      continue;
    }
    const last = blocks.at(-1);
    const [mark, number = null] = ITEM.exec(line) ?? [];
    const isNumbered = number !== null;
    const continues = last?.kind === 'list' && (last.items[0].number !== null) === isNumbered;
    if (mark && (!isNumbered || continues || ITEM.exec(lines[index + 1] ?? '')?.[1])) {
      if (!continues) blocks.push({ kind: 'list', items: [] });
      blocks.at(-1).items.push({
        number: isNumbered ? Number(number) : null,
        parts: inline(line.slice(mark.length), { isUser, isChannel, inside: '' }),
      });
      continue;
    }
    const kind = QUOTE.test(line) ? 'quote' : 'text';
    // Consecutive lines of one kind are one block.
    if (blocks.at(-1)?.kind === kind) blocks.at(-1).parts.push({ kind: 'plain', text: '\n' });
    else blocks.push({ kind, parts: [] });
    const context = { isUser, isChannel, quoted: kind === 'quote', inside: '' };
    blocks.at(-1).parts.push(...inline(line.replace(QUOTE, ''), context));
  }
  for (const block of blocks) if (block.parts) block.parts = joined(block.parts);
  return blocks;
}

/** Whether a text mentions a user: outside code and quotes, where it is shown as a mention too. */
export function mentions(text, name, isUser = () => false) {
  if (!name || !/[@＠]/.test(text)) return false;
  const isMention = (part) =>
    part.kind === 'mention' ? isSameName(part.name, name) : part.parts && within(part.parts);
  const within = (parts) => parts.some(isMention);
  return parse(text, (other) => isSameName(other, name) || isUser(other))
    .some(({ kind, parts, items = [{ parts }] }) =>
      (kind === 'text' || kind === 'list') && items.some((item) => within(item.parts))
    );
}

/** A text without the signs of its markup. */
export function plain(text) {
  const flat = (parts) => parts.map((part) => part.text ?? flat(part.parts)).join('');
  const item = ({ number, parts }) => `${number === null ? '•' : `${number}.`} ${flat(parts)}`;
  return parse(text).map(({ text: code, parts, items }) =>
    code ?? (items ? items.map(item).join('\n') : flat(parts))
  ).join('\n');
}

/** Whether a text is a few emoji and nothing else. */
export const isEmojiOnly = (blocks) =>
  blocks.length === 1 && blocks[0].kind === 'text'
  && blocks[0].parts.every(({ kind }) => kind === 'plain')
  && /^\s*(?:\p{RGI_Emoji}\s*){1,6}$/v.test(blocks[0].parts[0]?.text ?? '');

/** For each line, the next line after it that closes a fence; -1 where there is none. */
function closingFences(lines) {
  const next = new Array(lines.length);
  for (let index = lines.length - 1, nearest = -1; index >= 0; index -= 1) {
    next[index] = nearest;
    if (lines[index].startsWith('```') && lines[index].trimEnd() === '```') nearest = index;
  }
  return next;
}

/** The parts of one line. `context.inside` names the emphasis around it: bold in bold is none. */
function inline(text, context) {
  const parts = [];
  const runs = pairs(text);
  let from = 0;
  for (let at = 0; at < text.length;) {
    SIGN.lastIndex = at;
    const sign = SIGN.exec(text)?.[0];
    if (sign === undefined) break;
    at = SIGN.lastIndex - sign.length;
    const found = read(sign, text, at, runs, context);
    if (found) {
      if (at > from) parts.push({ kind: 'plain', text: text.slice(from, at) });
      parts.push(found.part);
      at = from = found.end;
    } else {
      at += sign.length;
    }
  }
  if (from < text.length) parts.push({ kind: 'plain', text: text.slice(from) });
  return joined(parts);
}

/** The part that begins with a sign: `{ part, end }`, or null if the sign is plain text. */
function read(sign, text, at, runs, context) {
  switch (sign[0]) {
    case '`':
      return code(text, at, sign.length, runs);
    case '*':
    case '_':
    case '~':
      return emphasis(text, at, sign, runs, context);
    case ':':
      return emoji(text, at);
    case '@':
    case '＠': {
      const found = context.quoted ? null : mentionAt(text, at, context.isUser);
      return found
        && {
          part: { kind: 'mention', text: text.slice(at, found.end), name: found.name },
          end: found.end,
        };
    }
    case '#':
      return channel(text, at, context.isChannel);
    default:
      return link(text, at);
  }
}

/**
 * Finds in one pass which runs of backticks belong together, and where emphasis can end: `{ code,
 * ends }`, with `code` from the index of an opening run to that of its closing one, and `ends` of
 * each mark as indices in ascending order.
 */
function pairs(text) {
  const runs = [...text.matchAll(RUN)];
  const code = new Map();
  const nearest = new Map(); // length of a run of backticks → the nearest one to the right
  const partner = runs.map(() => null);
  for (let index = runs.length - 1; index >= 0; index -= 1) {
    const [run] = runs[index];
    if (run[0] !== '`') continue;
    partner[index] = nearest.get(run.length) ?? null;
    nearest.set(run.length, index);
  }
  const ends = { '*': [], '**': [], _: [], '~~': [] };
  for (let index = 0; index < runs.length; index += 1) {
    const { 0: run, index: at } = runs[index];
    if (partner[index] !== null) {
      code.set(at, runs[partner[index]].index);
      index = partner[index];
    } else if (
      run[0] !== '`' && at > 0 && !/\s/.test(text[at - 1]) && !joins(after(text, at + run.length))
    ) {
      for (const mark of Object.keys(ends)) {
        if (mark[0] === run[0] && MARKS[mark].closes.includes(run.length))
          ends[mark].push(at + run.length - mark.length);
      }
    }
  }
  for (const list of Object.values(ends)) list.reverse(); // the next one is the last
  return { code, ends };
}

/**
 * Code between two runs of backticks of the same length. One space on each side separates backticks
 * that are part of the code.
 */
function code(text, at, length, runs) {
  const close = runs.code.get(at);
  if (close === undefined) return null;
  const inner = text.slice(at + length, close);
  const isPadded = inner.startsWith(' ') && inner.endsWith(' ') && inner.includes('`');
  return {
    part: { kind: 'code', text: isPadded ? inner.slice(1, -1) : inner },
    end: close + length,
  };
}

/** Text between two marks that touch it and are not inside a word. */
function emphasis(text, at, run, runs, context) {
  const mark = run === '***' ? '**' : run;
  const kind = MARKS[mark]?.kind;
  if (!kind || context.inside.includes(kind) || joins(before(text, at))) return null;
  const start = at + mark.length;
  // Marks alone, as in `*_*`, have nothing to emphasise.
  if (!/^[*_]{0,3}[^\s*_]/.test(text.slice(start, start + 4))) return null;
  const ends = runs.ends[mark];
  while (ends.at(-1) <= start) ends.pop();
  const end = ends.at(-1);
  if (end === undefined) return null;
  return {
    part: {
      kind,
      parts: inline(text.slice(start, end), { ...context, inside: `${context.inside} ${kind}` }),
    },
    end: end + mark.length,
  };
}

function emoji(text, at) {
  const name = !joins(before(text, at)) && matchAt(COLONS, text, at)?.[1];
  return name && EMOJI.has(name)
    ? { part: { kind: 'plain', text: EMOJI.get(name) }, end: at + name.length + 2 }
    : null;
}

/** `#general`, or `#general/842` for a message in it, where there is such a channel. */
function channel(text, at, isChannel) {
  const isPart = joins(before(text, at)) || /[/=&#]/.test(before(text, at));
  const [whole, run, seq] = (isPart ? null : matchAt(CHANNEL, text, at)) ?? [];
  const length = run && nameEnds(run).find((end) => isChannel(run.slice(0, end)));
  if (!length) return null;
  const end = seq && length === run.length ? at + whole.length : at + 1 + length;
  const isMessage = end > at + 1 + length;
  return {
    part: {
      kind: 'channel',
      text: text.slice(at, end),
      name: run.slice(0, length),
      seq: isMessage ? Number(seq) : null,
    },
    end,
  };
}

function link(text, at) {
  const found = joins(before(text, at)) ? null : matchAt(ORIGIN, text, at);
  if (!found) return null;
  const [origin, scheme, user, host] = found;
  const cut = foreignEnd(host);
  const rest = matchAt(REST, text, at + origin.length)?.[0] ?? '';
  const written = cut === null ? trimmed(origin + rest) : scheme + user + host.slice(0, cut);
  const url = parsed(written);
  if (!url) return null;
  const shown = /^https?:\/\/([^/?#\\]*)/i.exec(written)[1].toLowerCase();
  // The host is named where the text does not show it plainly: a name before an @, letters that
  // look like others.
  return {
    part: {
      kind: 'link',
      text: written,
      href: url.href,
      host: shown === url.host ? null : url.host,
    },
    end: at + written.length,
  };
}

/**
 * Where a host ends that is followed by words of a script without spaces, as in `example.com你好`;
 * null where it is all host.
 */
function foreignEnd(host) {
  const at = host.search(UNSPACED);
  return at > 0 && COMPLETE.test(host.slice(0, at)) && !host.slice(at).includes('.') ? at : null;
}

/** As `URL.parse`, which some supported browsers lack. */
function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/**
 * An address without the punctuation of the sentence around it, and without brackets that it did
 * not open.
 */
function trimmed(address) {
  const spare = {};
  for (const [open, close] of ['()', '[]', '{}'])
    spare[close] = address.split(close).length - address.split(open).length;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    if (last in spare ? spare[last]-- <= 0 : !".,;:!?'*_~|·‐–".includes(last)) break;
  }
  return address.slice(0, end);
}

/** Joins neighbouring plain parts. */
function joined(parts) {
  const list = [];
  for (const part of parts) {
    if (part.kind === 'plain' && list.at(-1)?.kind === 'plain') list.at(-1).text += part.text;
    else list.push(part);
  }
  return list;
}
