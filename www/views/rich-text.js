// The text of a message as nodes, by what texts/markup.js found in it. Everything in it becomes text: nothing here makes markup.

import { parse } from '../texts/markup.js';
import { isSameName } from '../texts/mention.js';
import { element } from './dom.js';

/** More marks on one character than any language needs: they would reach into the lines above and below. */
const PILE = /\P{M}\p{M}{5,}/gu;

/**
 * The nodes of a text: `{ nodes, plain }`; plain where it is one run of words, without blocks. `me` is the reader's name,
 * `isUser(name)` says which other names exist.
 */
export function build(text, me, isUser = () => false) {
  const blocks = parse(text, (name) => isSameName(name, me) || isUser(name));
  const nodes = blocks.flatMap((block) => made(block, blocks.length === 1, me));
  return { nodes, plain: blocks.length === 1 && blocks[0].kind === 'text' };
}

function made({ kind, parts, text }, alone, me) {
  if (kind === 'code') return [element('pre', {}, element('code', {}, ...within(text)))];
  const inner = parts.flatMap((part) => run(part, me));
  if (kind === 'quote') return [element('blockquote', { dir: 'auto' }, ...inner)];
  return alone ? inner : [element('div', { dir: 'auto' }, ...inner)];
}

function run(part, me) {
  switch (part.kind) {
    case 'code': return [element('code', {}, ...within(part.text))];
    case 'bold': return [element('strong', {}, ...part.parts.flatMap((one) => run(one, me)))];
    case 'italic': return [element('em', {}, ...part.parts.flatMap((one) => run(one, me)))];
    case 'mention': return [element('span', { class: isSameName(part.name, me) ? 'mention to-me' : 'mention' }, part.text)];
    case 'link': return [linked(part)];
    default: return within(part.text);
  }
}

function linked({ text, href, host }) {
  const link = element('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, ...within(text));
  return host === null ? link : element('span', {}, link, element('span', { class: 'host' }, ` (leads to ${host})`));
}

/** Text with its piles of marks held within their line. */
function within(text) {
  if (!/\p{M}/u.test(text)) return [text];
  const parts = [];
  let from = 0;
  for (const { 0: pile, index } of text.matchAll(PILE)) {
    parts.push(text.slice(from, index), element('span', { class: 'pile' }, pile));
    from = index + pile.length;
  }
  return [...parts, text.slice(from)].filter((part) => part !== '');
}
