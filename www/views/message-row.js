// One row of the feed as nodes: a message, a day, a note, the beginning of a place, what is on its way.
//
// Not here: which rows there are (rows.js), where they stand and what is seen of them (feed.js), the text (texts.js).

import * as address from '../texts/address.js';
import { hue, initial } from './avatar.js';
import { element, set, spoken } from './dom.js';
import { noteWords } from './feed-rows.js';
import { build } from './rich-text.js';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const GONE = 'What was said here before is no longer kept.';
const days = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/**
 * The nodes of a row. `does` has `older()`, `retry(nonce)`, `discard(nonce)` and `isUser(name)`; `me` is the reader's name. A
 * message that can't be shown as it should be is shown as plain text, so that one row never stops the page.
 */
export function content(node, row, me, does) {
  try {
    return drawn(node, row, me, does);
  } catch (error) {
    console.error(error);
    const { from, text } = row.message ?? row.entry ?? {};
    return [element('div', { class: 'text', dir: 'auto' }, from ? `${from}: ` : '', String(text ?? ''))];
  }
}

function drawn(node, row, me, does) {
  switch (row.kind) {
    case 'older': return [element('button', { type: 'button', onclick: does.older }, 'Load earlier messages')];
    case 'start': return beginning(node, row);
    case 'gap': return [element('p', {}, 'Some messages in between are no longer kept.')];
    case 'new': return [element('p', {}, 'New')];
    case 'note': return [element('p', {}, ...noteWords(row).map((word) => (word.name ? element('bdi', {}, word.name) : word)))];
    case 'day': return [element('p', {}, element('time', { datetime: row.stamp }, dayName(row.at)))];
    case 'message': return message(node, row, me, does);
    default: return pending(node, row.entry, me, does);
  }
}

function message(node, { message: { from, at, text, action }, own, head, number }, me, { isUser }) {
  set(node, 'aria-live', null);
  set(node, 'class', `row ${own ? 'mine' : 'theirs'}${head ? ' first' : ''}${action ? ' action' : ''}`);
  const time = element('time', { datetime: new Date(at).toISOString() }, clock.format(at));
  const which = number > 0 ? element('span', { class: 'which', title: 'Several people have written under this name. Each has a number.' }, `no. ${number}`) : null;
  if (action) return [bubble(text, me, isUser, from), ...[which].filter(Boolean), time];
  if (!head) return [spoken(`${from}: `), bubble(text, me, isUser), time];
  return [
    own ? null : element('span', { class: `avatar ${hue(from)}`, 'aria-hidden': 'true' }, initial(from)),
    element('p', { class: 'from' }, element('bdi', { class: own ? 'spoken' : `name ${hue(from)}` }, from), ' ', which, which && ' ', time),
    bubble(text, me, isUser),
  ].filter(Boolean);
}

function pending(node, { nonce, text, action, stage, error }, me, does) {
  // What one wrote oneself is read out when it is said, or not sent; not a time before as well.
  set(node, 'aria-live', stage === 'failed' ? null : 'off');
  set(node, 'class', `row mine pending ${stage}${action ? ' action' : ''}`);
  const parts = [bubble(text, me, does.isUser, action ? me : null)];
  if (stage === 'failed') {
    parts.push(element('p', { class: 'state' }, `not sent: ${error} `,
      element('button', { type: 'button', onclick: () => does.retry(nonce) }, 'Try again'), ' ',
      element('button', { type: 'button', onclick: () => does.discard(nonce) }, 'Delete')));
  } else {
    parts.push(element('p', { class: 'state' }, 'sending…'));
  }
  return parts;
}

/** The text itself; an action begins with who does it. */
function bubble(text, me, isUser, actor = null) {
  const { nodes, plain } = build(text, me, isUser);
  const node = element('div', { class: plain ? 'text' : 'text blocks', dir: 'auto' });
  if (actor) node.append(element('strong', {}, element('bdi', {}, actor)), ' ');
  node.append(...nodes);
  return node;
}

function beginning(node, { place, name, empty, gone }) {
  set(node, 'class', `row ${place}`);
  if (place === 'person') {
    return [element('p', {}, 'Between you and ', element('bdi', {}, name), '.'), element('p', {}, `No other user can read this.${gone ? ` ${GONE}` : ''}`)];
  }
  if (gone) return [element('p', {}, `#${name}`), element('p', {}, GONE)];
  const first = element('p', {}, `This is the beginning of #${name}.`);
  if (!empty) return [first];
  const hash = address.of({ kind: place, name });
  return [first, element('p', {}, 'Nothing was said here yet. Write the first message, or send others this link: ',
    element('a', { href: hash }, location.host + location.pathname + decodeURIComponent(hash)))];
}

function dayName(at) {
  const date = new Date(at);
  const apart = Math.round((new Date().setHours(12, 0, 0, 0) - date.setHours(12, 0, 0, 0)) / 86_400_000);
  if (apart === 0) return 'Today';
  return apart === 1 ? 'Yesterday' : days.format(at);
}
