// The text of a message as nodes. Whatever it holds becomes text: there is no way from here to
// markup.

import * as address from '../texts/address.js';
import { t } from '../texts/language.js';
import { isEmojiOnly, parse } from '../texts/markup.js';
import { isSameName } from '../texts/mention.js';
import { element } from './dom.js';

/**
 * More marks on one character than any language needs; they would reach into the lines above and
 * below.
 */
const STACKED_MARKS = /\P{M}\p{M}{5,}/gu;

/**
 * Builds a text: `{ nodes, plain, large }`, where plain means one run of words without blocks, and
 * large a few emoji. `me` is the reader's name, `isUser(name)` tells which other names exist,
 * `isChannel(name)` which channels.
 */
export function build(text, me, isUser = () => false, isChannel = () => false) {
  const blocks = parse(text, (name) => isSameName(name, me) || isUser(name), isChannel);
  const nodes = blocks.flatMap((block) => buildBlock(block, blocks.length === 1, me));
  return {
    nodes,
    plain: blocks.length === 1 && blocks[0].kind === 'text',
    large: isEmojiOnly(blocks),
  };
}

function buildBlock({ kind, parts, text, items }, alone, me) {
  if (kind === 'code') return [element('pre', {}, element('code', {}, ...contained(text)))];
  if (kind === 'list') {
    const tag = items[0].number === null ? 'ul' : 'ol';
    return [
      element(tag, {}, ...items.map((item) =>
        element('li', { dir: 'auto', value: item.number }, ...buildParts(item.parts, me))
      )),
    ];
  }
  const nodes = buildParts(parts, me);
  if (kind === 'quote') return [element('blockquote', { dir: 'auto' }, ...nodes)];
  return alone ? nodes : [element('div', { dir: 'auto' }, ...nodes)];
}

const buildParts = (parts, me) => parts.flatMap((part) => buildPart(part, me));

function buildPart(part, me) {
  switch (part.kind) {
    case 'code':
      return [element('code', {}, ...contained(part.text))];
    case 'bold':
      return [element('strong', {}, ...buildParts(part.parts, me))];
    case 'italic':
      return [element('em', {}, ...buildParts(part.parts, me))];
    case 'strike':
      return [element('s', {}, ...buildParts(part.parts, me))];
    case 'mention': {
      const isMe = isSameName(part.name, me);
      return [element('span', { class: isMe ? 'mention to-me' : 'mention' }, part.text)];
    }
    case 'channel':
      return [
        element('a', {
          href: address.of({ kind: 'channel', name: part.name.toLowerCase() }, part.seq),
        }, part.text),
      ];
    case 'link':
      return [buildLink(part)];
    default:
      return contained(part.text);
  }
}

function buildLink({ text, href, host }) {
  const page = `${location.origin}${location.pathname}#`;
  if (href.startsWith(page))
    return element('a', { href: href.slice(page.length - 1), dir: 'ltr' }, ...contained(text));
  const attributes = { href, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' };
  const link = element('a', attributes, ...contained(text));
  return host === null
    ? link
    : element('span', {}, link, element('span', { class: 'host' }, t.feed.leadsTo(host)));
}

/** Text in which stacked marks stay within their line. */
function contained(text) {
  if (!/\p{M}/u.test(text)) return [text];
  const parts = [];
  let from = 0;
  for (const { 0: stack, index } of text.matchAll(STACKED_MARKS)) {
    parts.push(text.slice(from, index), element('span', { class: 'pile' }, stack));
    from = index + stack.length;
  }
  return [...parts, text.slice(from)].filter((part) => part !== '');
}
