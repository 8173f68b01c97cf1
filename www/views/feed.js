// The feed: what was said in the open place, what is being sent, and where the reader stands in it.
//
// It stays at the end while the reader is there, and stays put while the reader is not; then a button tells of what is new.
// Not here: which rows there are (rows.js), what stands in one (said.js), which part of a long place is shown (span.js).

import { isUser } from '../store/state.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { rows } from './feed-rows.js';
import { content } from './message-row.js';
import { Span, indexOf } from './message-range.js';

/** So near to the end counts as at the end. */
const NEAR_PX = 100;
/** How many earlier messages are asked for, so many screens before they are needed. */
const OLDER = 100, SCREENS = 2;
/** So long what stands there when a place is opened is not announced. */
const QUIET_MS = 500;

export class Feed {
  #chat;
  #log = byId('feed');
  #down = byId('down');
  #list = null;
  #place = null;
  #pending = [];
  #span = new Span();
  #atEnd = true;
  #top = 0; // where the feed was scrolled to when it was last brought to its end, or stood near it
  #seen = 0; // the newest number when the end was last in sight
  #newest = 0; // the newest number that was shown or counted
  #nonces = new Set(); // of what was said here while the place was open
  #quiet = 0;
  #rest = 0; // pixels above the first row, less than one

  constructor(chat) {
    this.#chat = chat;
    this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#down.addEventListener('click', () => {
      this.#toEnd();
      this.#log.focus({ preventScroll: true });
    });
    // A keyboard that slides up, a composer that grows: who was at the end still is.
    new ResizeObserver(() => this.#atEnd && this.#place && this.#stick()).observe(this.#log);
  }

  show(place, pending) {
    if (!place) {
      this.#log.replaceChildren();
      this.#place = null;
      return;
    }
    const another = place !== this.#place;
    if (another) this.#begin(place);
    const own = pending.some(({ nonce }) => !this.#nonces.has(nonce)) || this.#ownCame(place);
    for (const { nonce } of pending) this.#nonces.add(nonce);
    this.#pending = pending;
    this.#newest = place.messages.at(-1)?.seq ?? 0;
    this.#busy(another);
    if (another || own || this.#atEnd) this.#toEnd();
    else {
      this.#draw();
      this.#tell();
    }
    this.#reach();
  }

  /** Another place: new rows, and no announcement of what has been standing there all along. */
  #begin(place) {
    this.#log.replaceChildren();
    const does = { older: () => this.#more(), retry: (nonce) => this.#chat.retry(nonce), discard: (nonce) => this.#chat.discard(nonce), isUser: (name) => isUser(this.#chat.state, name) };
    this.#list = new Keyed(this.#log, makeRow, (node, row) => this.#update(node, row, does));
    this.#place = place;
    this.#span = new Span();
    this.#newest = place.messages.at(-1)?.seq ?? 0;
    this.#nonces = new Set();
  }

  /** Whether the reader has said something, here or in another tab, since the feed was last shown. */
  #ownCame({ messages }) {
    for (let index = messages.length - 1; index >= 0 && messages[index].seq > this.#newest; index -= 1) {
      if (this.#newest > 0 && this.#chat.isMine(messages[index]) && !this.#nonces.has(messages[index].nonce)) return true;
    }
    return false;
  }

  /** While history is on its way, and for a moment behind it, nothing is announced. */
  #busy(another) {
    const loading = this.#place.filling || this.#place.fetchingOlder || another;
    if (!loading) return;
    set(this.#log, 'aria-busy', 'true');
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => (this.#place?.filling || this.#place?.fetchingOlder ? this.#busy(true) : set(this.#log, 'aria-busy', null)), QUIET_MS);
  }

  /** Brings the rows up to date. What the reader looks at stays where it is. */
  #draw() {
    const place = this.#place;
    const anchor = this.#atEnd ? null : this.#anchor();
    const [from, to] = this.#span.range(place.messages, this.#atEnd);
    this.#list.show(rows(place, this.#pending, (message) => this.#chat.isMine(message), from, to));
    if (anchor?.node.isConnected) this.#back(anchor);
  }

  /** Brings a row back to where it was. A browser scrolls by whole pixels: the rest is room above the first row. */
  #back({ node, top }) {
    const off = () => node.getBoundingClientRect().top - top;
    this.#log.scrollTop += Math.ceil(off() - this.#rest);
    this.#rest = Math.max(0, this.#rest - off());
    this.#log.style.setProperty('--rest', `${this.#rest}px`);
  }

  /** The first message in sight. */
  #anchor() {
    const { top } = this.#log.getBoundingClientRect();
    const node = [...this.#log.children].find((one) => one.dataset.kind === 'message' && one.getBoundingClientRect().bottom > top);
    return node ? { node, top: node.getBoundingClientRect().top } : null;
  }

  #scrolled() {
    if (!this.#place) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const below = scrollHeight - scrollTop - clientHeight;
    if (below < SCREENS * clientHeight && this.#span.down(this.#place.messages)) return this.#draw();
    // That there is less room, or more in it, is no scrolling up: the reader is still at the end, and the feed about to follow.
    this.#isAtEnd(below < NEAR_PX || (this.#atEnd && scrollTop >= this.#top));
    this.#reach();
    return undefined;
  }

  /** What is above is there before the reader is. */
  #reach() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    // So little that nothing can be scrolled: whoever wants more could not ask for it.
    if (scrollHeight <= clientHeight || scrollTop < SCREENS * clientHeight) this.#more();
  }

  #more() {
    const place = this.#place;
    if (this.#atEnd && this.#log.scrollHeight > (SCREENS + 1) * this.#log.clientHeight) return;
    if (!this.#atEnd && this.#span.up(place.messages)) {
      this.#busy(true);
      this.#draw();
    } else if (place.older && !place.fetchingOlder) {
      this.#busy(true);
      this.#chat.older(OLDER);
    }
  }

  #toEnd() {
    if (!this.#atEnd) this.#span.end();
    this.#atEnd = true;
    this.#draw();
    this.#stick();
    this.#isAtEnd(true);
  }

  #stick() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
  }

  /** Whether the end is in sight; what is there counts as read. */
  #isAtEnd(at) {
    this.#atEnd = at;
    if (at) [this.#seen, this.#top] = [this.#newest, this.#log.scrollTop];
    this.#tell();
    this.#chat.marks.atEnd = at;
    if (at) this.#chat.marks.look();
  }

  #tell() {
    const { messages } = this.#place;
    const unseen = this.#atEnd ? 0 : messages.length - indexOf(messages, this.#seen + 1);
    this.#down.hidden = this.#atEnd;
    set(this.#down, 'class', unseen === 0 ? 'down plain' : 'down');
    setText(this.#down, unseen === 0 ? 'To the newest' : unseen === 1 ? '1 new message' : `${unseen} new messages`);
  }

  #update(node, row, does) {
    const stamp = `${row.kind} ${row.stamp}`;
    if (node.dataset.stamp === stamp) return;
    node.dataset.stamp = stamp;
    node.dataset.kind = row.kind;
    if (row.message) node.dataset.seq = row.message.seq;
    node.replaceChildren(...content(node, row, this.#chat.state.me?.name, does));
  }
}

function makeRow({ kind, own }) {
  const side = kind === 'pending' || own ? 'row mine' : kind === 'message' ? 'row theirs' : 'row';
  return element('div', { class: side });
}
