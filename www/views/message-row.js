// One row of the feed as nodes: a message, a day, a note, the start of a room, an unsent message.

import * as address from '../texts/address.js';
import { number, t } from '../texts/language.js';
import { avatar, hue } from './avatar.js';
import { button, element, set, spoken } from './dom.js';
import { build } from './rich-text.js';
import { dayName, timeOf, whenOf } from './time.js';

const line = (...parts) => element('p', {}, ...parts);
const bdi = (name) => element('bdi', {}, name);

/**
 * The content of a row. `context` has `me` (the reader's name), `isUser(name)`, `isChannel(name)`,
 * and the actions `older()`, `retry(nonce)`, `discard(nonce)`, `undo(seq)`, `reveal(seqs)`,
 * `fold(id)` and `react(message, emoji)`. A message that can't be drawn becomes plain text: it must
 * not stop the page.
 */
export function content(node, row, context) {
  try {
    return draw(node, row, context);
  } catch (error) {
    console.error(error);
    const { from, text } = row.message ?? row.entry ?? {};
    return [
      element('div', { class: 'text', dir: 'auto' }, from ? `${from}: ` : '', String(text ?? '')),
    ];
  }
}

function draw(node, row, context) {
  switch (row.kind) {
    case 'older':
      return [button({ onclick: context.older }, t.feed.older)];
    case 'start':
      return start(node, row);
    case 'gap':
      return [line(t.feed.gap)];
    case 'new':
      return [line(t.feed.new)];
    case 'note':
      return [line(...note(row))];
    case 'notes':
      return [
        line(t.feed.changes(row.count), button({
          'aria-expanded': String(row.isOpen),
          onclick: () => context.fold(row.id),
        }, row.isOpen ? t.feed.hide : t.feed.showIgnored)),
      ];
    case 'day':
      return [line(element('time', { datetime: row.stamp }, dayName(row.at)))];
    case 'message':
      return message(node, row, context);
    case 'deleted':
      return [line(...t.feed.deleted(row.by && bdi(row.by)))];
    case 'deleting':
      return [line(t.feed.deleting, button({ onclick: () => context.undo(row.seq) }, t.feed.undo))];
    case 'ignored':
      return [
        line(t.feed.ignored(row.seqs.length), button({
          onclick: () => context.reveal(row.seqs),
        }, t.feed.showIgnored)),
      ];
    default:
      return pending(node, row.entry, row.head, context);
  }
}

function message(node, { message: whole, own, head, number: nth }, context) {
  const { from, at, text, action, edited_at: editedAt, owner, reactions = [] } = whole;
  set(node, 'aria-live', null);
  set(node, 'class',
    `row ${own ? 'mine' : 'theirs'}${head ? ' first' : ''}${action ? ' action' : ''}`);
  const time = element('time', { datetime: new Date(at).toISOString() }, timeOf(at));
  const which = nth > 0
    ? element('span', { class: 'which', title: t.feed.authorTitle }, t.feed.author(nth))
    : null;
  const badge = owner
    ? element('span', { class: 'owner', title: t.owner.badgeTitle }, t.owner.badge)
    : null;
  const below = [
    editedAt
    && element('time', {
      class: 'edited',
      datetime: new Date(editedAt).toISOString(),
      title: t.feed.editedAt(whenOf(editedAt)),
    }, t.feed.edited),
    reactions.length > 0
    && element('div', { class: 'reactions' }, ...reactions.map(({ emoji, count, mine }) =>
      button({
        'data-emoji': emoji,
        'aria-pressed': String(mine),
        'aria-label': t.feed.reaction(emoji, count, mine),
        onclick: () => context.react(whole, emoji),
      }, `${emoji} ${number(count)}`)
    )),
  ].filter(Boolean);
  if (action)
    return [bubble(text, context, from), ...[which, badge].filter(Boolean), ' ', time, ...below];
  if (!head) return [spoken(`${from}: `), bubble(text, context), time, ...below];
  return [avatar(from), header(from, which, badge, time), bubble(text, context), ...below];
}

/**
 * The line above a message; after the name what tells people with it apart, the owner's mark, and
 * the time.
 */
function header(name, ...more) {
  return element('p', { class: 'from' }, element('bdi', { class: `name ${hue(name)}` }, name),
    ...more.filter(Boolean).flatMap((one) => [' ', one]));
}

function pending(node, { nonce, text, action, stage, error }, head, context) {
  // The reader's own message is announced when it is sent or refused, and not before.
  set(node, 'aria-live', stage === 'failed' ? null : 'off');
  set(node, 'class', `row mine pending ${stage}${head ? ' first' : ''}${action ? ' action' : ''}`);
  const state = stage !== 'failed' ? [stage === 'sending' ? t.feed.sending : t.feed.waiting] : [
    t.feed.notSent(error),
    button({ onclick: () => context.retry(nonce) }, t.feed.retry),
    ' ',
    button({ onclick: () => context.discard(nonce) }, t.feed.delete),
  ];
  const above = head && !action && context.me ? [avatar(context.me), header(context.me)] : [];
  return [
    ...above,
    bubble(text, context, action ? context.me : null),
    element('p', { class: 'state' }, ...state),
  ];
}

/** The text; an action begins with its author. */
function bubble(text, { me, isUser, isChannel }, actor = null) {
  const { nodes, plain, large } = build(text, me, isUser, isChannel);
  const author = actor ? [element('strong', {}, bdi(actor)), ' '] : [];
  return element('div', {
    class: `text${plain ? '' : ' blocks'}${large ? ' large' : ''}`,
    dir: 'auto',
  }, ...author, ...nodes);
}

function note({ joined, left, from, to }) {
  if (to) return t.feed.renamed(bdi(from), bdi(to));
  const parts = [
    joined.length > 0 ? t.feed.joined(joined.map(bdi)) : [],
    left.length > 0 ? t.feed.left(left.map(bdi)) : [],
  ];
  return parts.every(({ length }) => length > 0) ? t.feed.joinedAndLeft(...parts) : parts.flat();
}

function start(node, { room, name, empty, gone }) {
  set(node, 'class', `row ${room}`);
  const missing = gone ? [line(t.feed.gone)] : [];
  if (room === 'person')
    return [line(...t.feed.startDirect(bdi(name))), line(t.feed.private), ...missing];
  if (gone) return [line(`#${name}`), ...missing];
  const first = line(t.feed.startChannel(name));
  if (!empty) return [first];
  const href = address.of({ kind: room, name });
  const link = element('a', { href, dir: 'ltr' },
    location.host + location.pathname + decodeURIComponent(href));
  return [first, line(t.feed.empty, link)];
}
