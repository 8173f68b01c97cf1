// One row of the feed as nodes: a message, a day, a note, the start of a room, an unsent message.

import * as address from '../texts/address.js';
import { t } from '../texts/en.js';
import { avatar, hue } from './avatar.js';
import { button, element, set, spoken } from './dom.js';
import { build } from './rich-text.js';
import { dayName, timeOf } from './time.js';

const line = (...parts) => element('p', {}, ...parts);
const bdi = (name) => element('bdi', {}, name);

/**
 * The content of a row. `context` has `me` (the reader's name), `isUser(name)`, and the actions `older()`, `retry(nonce)` and
 * `discard(nonce)`. A message that can't be drawn becomes plain text: it must not stop the page.
 */
export function content(node, row, context) {
  try {
    return draw(node, row, context);
  } catch (error) {
    console.error(error);
    const { from, text } = row.message ?? row.entry ?? {};
    return [element('div', { class: 'text', dir: 'auto' }, from ? `${from}: ` : '', String(text ?? ''))];
  }
}

function draw(node, row, context) {
  switch (row.kind) {
    case 'older': return [button({ onclick: context.older }, t.feed.older)];
    case 'start': return start(node, row);
    case 'gap': return [line(t.feed.gap)];
    case 'new': return [line(t.feed.new)];
    case 'note': return [line(...note(row))];
    case 'day': return [line(element('time', { datetime: row.stamp }, dayName(row.at)))];
    case 'message': return message(node, row, context);
    default: return pending(node, row.entry, context);
  }
}

function message(node, { message: { from, at, text, action }, own, head, number }, context) {
  set(node, 'aria-live', null);
  set(node, 'class', `row ${own ? 'mine' : 'theirs'}${head ? ' first' : ''}${action ? ' action' : ''}`);
  const time = element('time', { datetime: new Date(at).toISOString() }, timeOf(at));
  const which = number > 0 ? element('span', { class: 'which', title: t.feed.authorTitle }, t.feed.author(number)) : null;
  if (action) return [bubble(text, context, from), ...(which ? [which] : []), ' ', time];
  if (!head) return [spoken(`${from}: `), bubble(text, context), time];
  const name = own ? spoken(`${from} `) : element('bdi', { class: `name ${hue(from)}` }, from);
  const header = element('p', { class: 'from' }, which, which && ' ', name, ' ', time);
  return [...(own ? [] : [avatar(from)]), header, bubble(text, context)];
}

function pending(node, { nonce, text, action, stage, error }, context) {
  // The reader's own message is announced when it is sent or refused, and not before.
  set(node, 'aria-live', stage === 'failed' ? null : 'off');
  set(node, 'class', `row mine pending ${stage}${action ? ' action' : ''}`);
  const state = stage !== 'failed' ? [stage === 'sending' ? t.feed.sending : t.feed.waiting] : [
    t.feed.notSent(error), button({ onclick: () => context.retry(nonce) }, t.feed.retry), ' ',
    button({ onclick: () => context.discard(nonce) }, t.feed.delete)];
  return [bubble(text, context, action ? context.me : null), element('p', { class: 'state' }, ...state)];
}

/** The text; an action begins with its author. */
function bubble(text, { me, isUser }, actor = null) {
  const { nodes, plain } = build(text, me, isUser);
  const author = actor ? [element('strong', {}, bdi(actor)), ' '] : [];
  return element('div', { class: plain ? 'text' : 'text blocks', dir: 'auto' }, ...author, ...nodes);
}

function note({ joined, left, from, to }) {
  if (to) return t.feed.renamed(bdi(from), bdi(to));
  const parts = [joined.length > 0 ? t.feed.joined(joined.map(bdi)) : [], left.length > 0 ? t.feed.left(left.map(bdi)) : []];
  return parts.every(({ length }) => length > 0) ? [...parts[0], '; ', ...parts[1]] : parts.flat();
}

function start(node, { room, name, empty, gone }) {
  set(node, 'class', `row ${room}`);
  const missing = gone ? [line(t.feed.gone)] : [];
  if (room === 'person') return [line(...t.feed.startDirect(bdi(name))), line(t.feed.private), ...missing];
  if (gone) return [line(`#${name}`), ...missing];
  const first = line(t.feed.startChannel(name));
  if (!empty) return [first];
  const href = address.of({ kind: room, name });
  const link = element('a', { href }, location.host + location.pathname + decodeURIComponent(href));
  return [first, line(t.feed.empty, link)];
}
