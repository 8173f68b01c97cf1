// The feed: what was said in the open place, what is being sent, and where the reader stands in it.
//
// It stays at the end while the reader is there, and stays put while the reader is not; then a button tells of what is new.
// Not here: which rows there are (rows.js).

import { hue, initial } from './avatar.js';
import { Keyed, byId, element, set, setText, spoken } from './nodes.js';
import { rows } from './rows.js';

/** So near to the end counts as at the end. */
const NEAR_PX = 48;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const days = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

export class Feed {
  #chat;
  #log = byId('feed');
  #down = byId('down');
  #list = null;
  #key = null;
  #end = null; // key of the last row that was shown
  #atEnd = true;
  #unseen = 0;

  constructor(chat) {
    this.#chat = chat;
    this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#down.addEventListener('click', () => {
      this.#toEnd();
      this.#log.focus({ preventScroll: true });
    });
    // A keyboard that slides up, a composer that grows: who was at the end still is.
    new ResizeObserver(() => this.#atEnd && this.#toEnd()).observe(this.#log);
  }

  show(place, pending) {
    if (!place) {
      this.#log.replaceChildren();
      this.#key = null;
      return;
    }
    const another = place.key !== this.#key;
    if (another) this.#begin(place.key);
    const list = rows(place, pending, (message) => this.#chat.isMine(message));
    const anchor = another || this.#atEnd ? null : this.#anchor();
    const before = this.#end;
    this.#list.show(list);
    this.#end = list.at(-1)?.key ?? null;
    if (anchor) this.#log.scrollTop += anchor.node.offsetTop - anchor.top;
    const added = before === null ? [] : list.slice(list.findLastIndex(({ key }) => key === before) + 1);
    const own = added.some((row) => row.own || row.kind === 'pending');
    if (another || this.#atEnd || own) this.#toEnd();
    else this.#tell(this.#unseen + added.filter(({ kind }) => kind === 'message').length);
    // So little that nothing can be scrolled: whoever wants more could not ask for it.
    if (place.older && this.#log.scrollHeight <= this.#log.clientHeight) this.#chat.older();
    if (another) setTimeout(() => set(this.#log, 'aria-busy', null), 500);
  }

  /** Another place: new rows, and no announcement of what has been standing there all along. */
  #begin(key) {
    set(this.#log, 'aria-busy', 'true');
    this.#log.replaceChildren();
    this.#list = new Keyed(this.#log, (row) => this.#make(row), (node, row) => this.#update(node, row));
    this.#key = key;
    this.#end = null;
  }

  /** The first row in sight: it shall stay where it is. */
  #anchor() {
    const top = this.#log.scrollTop;
    const node = [...this.#log.children].find((one) => one.dataset.kind === 'message' && one.offsetTop + one.offsetHeight > top);
    return node ? { node, top: node.offsetTop } : null;
  }

  /** Whether the end is in sight; what is there counts as read. */
  #isAtEnd(at) {
    this.#atEnd = at;
    this.#chat.marks.atEnd = at;
    if (at) this.#chat.marks.look();
  }

  #scrolled() {
    const log = this.#log;
    this.#isAtEnd(log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX);
    if (this.#atEnd) this.#tell(0);
    if (log.scrollTop < log.clientHeight / 2 && log.scrollHeight > log.clientHeight) this.#chat.older();
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#isAtEnd(true);
    this.#tell(0);
  }

  #tell(unseen) {
    this.#unseen = unseen;
    this.#down.hidden = unseen === 0;
    setText(this.#down, unseen === 1 ? '1 new message ↓' : `${unseen} new messages ↓`);
  }

  #make({ kind, own, message }) {
    const mine = kind === 'pending' || own;
    const side = kind === 'message' || kind === 'pending' ? (mine ? 'mine' : 'theirs') : '';
    const node = element('div', { class: `row ${side}` });
    if (message) node.dataset.seq = message.seq;
    return node;
  }

  #update(node, row) {
    const stamp = `${row.kind} ${row.stamp}`;
    if (node.dataset.stamp === stamp) return;
    node.dataset.stamp = stamp;
    node.dataset.kind = row.kind;
    node.replaceChildren(...this.#content(node, row));
  }

  #content(node, row) {
    switch (row.kind) {
      case 'older': return [element('button', { type: 'button', onclick: () => this.#chat.older() }, 'Load earlier messages')];
      case 'start': return [element('p', {}, ...beginning(row.stamp))];
      case 'gap': return [element('p', {}, 'Some messages in between are no longer kept.')];
      case 'new': return [element('p', {}, 'New')];
      case 'day': return [element('p', {}, element('time', { datetime: row.stamp }, dayName(row.at)))];
      case 'message': return said(node, row);
      default: return this.#pending(node, row.entry);
    }
  }

  #pending(node, { nonce, text, action, stage, error }) {
    set(node, 'class', `row mine pending ${stage}${action ? ' action' : ''}`);
    const parts = [bubble(text, action ? this.#chat.state.me?.name : null)];
    if (stage === 'failed') {
      parts.push(element('p', { class: 'state' }, `not sent: ${error} `,
        element('button', { type: 'button', onclick: () => this.#chat.retry(nonce) }, 'Try again'), ' ',
        element('button', { type: 'button', onclick: () => this.#chat.discard(nonce) }, 'Delete')));
    } else {
      parts.push(element('p', { class: 'state' }, 'sending…'));
    }
    return parts;
  }
}

function said(node, { message, own, head }) {
  const { from, at, text, action } = message;
  set(node, 'class', `row ${own ? 'mine' : 'theirs'}${head ? ' first' : ''}${action ? ' action' : ''}`);
  node.dataset.seq = message.seq;
  const time = element('time', { datetime: new Date(at).toISOString(), title: full.format(at) }, clock.format(at));
  if (action) return [bubble(text, from), time];
  if (!head) return [spoken(`${from}: `), bubble(text, null), time];
  return [
    own ? null : element('span', { class: `avatar ${hue(from)}`, 'aria-hidden': 'true' }, initial(from)),
    element('p', { class: 'from' }, element('span', { class: `name ${hue(from)}`, dir: 'auto' }, from), ' ', time),
    bubble(text, null),
  ].filter(Boolean);
}

/** The text itself, as it was written; an action begins with who does it. */
function bubble(text, actor) {
  const node = element('p', { class: 'text', dir: 'auto' });
  if (actor) node.append(element('strong', { dir: 'auto' }, actor), ' ');
  node.append(text);
  return node;
}

function beginning(stamp) {
  const [, kind, name] = /^(\S+) (.*)$/u.exec(stamp);
  return kind === 'channel' ? [`This is the beginning of #${name}.`] : ['Between you and ', element('bdi', {}, name), '. No other user can read this.'];
}

function dayName(at) {
  const date = new Date(at);
  const apart = Math.round((new Date().setHours(12, 0, 0, 0) - date.setHours(12, 0, 0, 0)) / 86_400_000);
  if (apart === 0) return 'Today';
  return apart === 1 ? 'Yesterday' : days.format(at);
}
