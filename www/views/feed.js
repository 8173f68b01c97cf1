// The feed: the messages of the open room and what is being sent, and where the reader is in it.
//
// It follows the end while the reader is there. Otherwise what the reader looks at keeps its place on the screen, and a
// button shows how many new messages there are.

import { isUser } from '../store/state.js';
import { t } from '../texts/en.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { rows } from './feed-rows.js';
import { MessageRange, indexOf } from './message-range.js';
import { content } from './message-row.js';
import { calendar } from './time.js';

/** A distance from the end that counts as at the end. */
const NEAR_PX = 100;
/** The number of earlier messages loaded at once, and the distance in screens at which loading starts. */
const OLDER = 100, SCREENS = 2;
/** After a room is opened or history arrives, nothing is announced for this long. */
const QUIET_MS = 500;

export class Feed {
  #chat;
  #log = byId('feed');
  #down = byId('down');
  #list = null;
  #room = null;
  #pending = [];
  #range = new MessageRange();
  #atEnd = true;
  #top = 0; // scroll position when the feed was last at its end
  #seen = 0; // the newest number when the end was last in sight
  #newest = 0; // the newest number that was shown or counted
  #nonces = new Set(); // of the reader's messages while the room is open
  #quiet = 0;
  #rest = 0; // pixels above the first row, less than one
  #calendar = '';

  constructor(chat) {
    this.#chat = chat;
    this.#log.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    this.#down.addEventListener('click', () => {
      this.#toEnd();
      this.#log.focus({ preventScroll: true });
    });
    // A keyboard slides up or the composer grows: a reader at the end stays there.
    new ResizeObserver(() => this.#atEnd && this.#room && this.#stick()).observe(this.#log);
  }

  show(room, pending) {
    if (!room) {
      this.#log.replaceChildren();
      this.#room = null;
      return;
    }
    const isOther = room !== this.#room;
    if (isOther) this.#begin(room);
    const own = pending.some(({ nonce }) => !this.#nonces.has(nonce)) || this.#hasNewOwn(room);
    for (const { nonce } of pending) this.#nonces.add(nonce);
    this.#pending = pending;
    this.#calendar = calendar();
    this.#newest = room.messages.at(-1)?.seq ?? 0;
    this.#hushWhileLoading(isOther);
    if (isOther || own || this.#atEnd) this.#toEnd();
    else {
      this.#draw();
      this.#showDown();
    }
    this.#loadAhead();
  }

  #begin(room) {
    this.#log.replaceChildren();
    const chat = this.#chat;
    this.#list = new Keyed(this.#log, makeRow, (node, row) => this.#update(node, row, {
      me: chat.state.me?.name, isUser: (name) => isUser(chat.state, name),
      older: () => this.#loadOlder(), retry: (nonce) => chat.retry(nonce), discard: (nonce) => chat.discard(nonce),
    }));
    this.#room = room;
    this.#range = new MessageRange();
    this.#newest = room.messages.at(-1)?.seq ?? 0;
    this.#nonces = new Set();
  }

  /** Whether a message of the reader came from another tab since the feed was last shown. */
  #hasNewOwn({ messages }) {
    if (this.#newest === 0) return false;
    return messages.slice(indexOf(messages, this.#newest + 1))
      .some((message) => this.#chat.isMine(message) && !this.#nonces.has(message.nonce));
  }

  #hushWhileLoading(isOther) {
    const isLoading = () => this.#room?.filling || this.#room?.fetchingOlder;
    if (!isLoading() && !isOther) return;
    set(this.#log, 'aria-busy', 'true');
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => (isLoading() ? this.#hushWhileLoading(true) : set(this.#log, 'aria-busy', null)), QUIET_MS);
  }

  /** Updates the rows. What the reader looks at keeps its place. */
  #draw() {
    const anchor = this.#atEnd ? null : this.#anchor();
    const [from, to] = this.#range.range(this.#room.messages, this.#atEnd);
    this.#list.show(rows(this.#room, this.#pending, (message) => this.#chat.isMine(message), from, to));
    if (anchor?.row.isConnected) this.#restore(anchor);
  }

  /** Scrolls a row back to where it was. Browsers scroll by whole pixels; the rest becomes room above the first row. */
  #restore({ row, top }) {
    const off = () => textTop(row) - top;
    this.#log.scrollTop += Math.ceil(off() - this.#rest);
    this.#rest = Math.max(0, this.#rest - off());
    this.#log.style.setProperty('--rest', `${this.#rest}px`);
  }

  /** The first message in sight. */
  #anchor() {
    const { top } = this.#log.getBoundingClientRect();
    const row = [...this.#log.children].find((one) => one.dataset.kind === 'message' && one.getBoundingClientRect().bottom > top);
    return row ? { row, top: textTop(row) } : null;
  }

  #onScroll() {
    if (!this.#room) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const below = scrollHeight - scrollTop - clientHeight;
    if (below < SCREENS * clientHeight && this.#range.down(this.#room.messages)) return this.#draw();
    // A feed that shrinks or gets more content isn't scrolled up: the reader is still at the end.
    this.#setAtEnd(below < NEAR_PX || (this.#atEnd && scrollTop >= this.#top));
    this.#loadAhead();
    return undefined;
  }

  /** Loads what is above before the reader gets there. */
  #loadAhead() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    if (scrollHeight <= clientHeight || scrollTop < SCREENS * clientHeight) this.#loadOlder();
  }

  #loadOlder() {
    const room = this.#room;
    if (this.#atEnd && this.#log.scrollHeight > (SCREENS + 1) * this.#log.clientHeight) return;
    if (!this.#atEnd && this.#range.up(room.messages)) {
      this.#hushWhileLoading(true);
      this.#draw();
    } else if (room.older && !room.fetchingOlder) {
      this.#hushWhileLoading(true);
      this.#chat.older(OLDER);
    }
  }

  #toEnd() {
    if (!this.#atEnd) this.#range.end();
    this.#atEnd = true;
    this.#draw();
    this.#stick();
    this.#setAtEnd(true);
  }

  #stick() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
  }

  #setAtEnd(atEnd) {
    this.#atEnd = atEnd;
    if (atEnd) [this.#seen, this.#top] = [this.#newest, this.#log.scrollTop];
    this.#showDown();
    this.#chat.markers.atEnd = atEnd;
    if (atEnd) this.#chat.markers.update();
  }

  #showDown() {
    const { messages } = this.#room;
    const unseen = this.#atEnd ? 0 : messages.length - indexOf(messages, this.#seen + 1);
    this.#down.hidden = this.#atEnd;
    set(this.#down, 'class', unseen === 0 ? 'down plain' : 'down');
    setText(this.#down, unseen === 0 ? t.feed.latest : t.feed.newMessages(unseen));
  }

  #update(node, row, context) {
    const stamp = `${row.kind} ${row.stamp} ${this.#calendar}`;
    if (node.dataset.stamp === stamp) return;
    node.dataset.stamp = stamp;
    node.dataset.kind = row.kind;
    if (row.message) node.dataset.seq = row.message.seq;
    node.replaceChildren(...content(node, row, context));
  }
}

/** The top of a message's text: its name may come and go above it. */
const textTop = (row) => (row.querySelector('.text') ?? row).getBoundingClientRect().top;

function makeRow({ kind, own }) {
  const side = kind === 'pending' || own ? 'row mine' : kind === 'message' ? 'row theirs' : 'row';
  return element('div', { class: side });
}
