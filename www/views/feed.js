// The feed: the messages of the open room and what is being sent, and where the reader is in it.
//
// It follows the end while the reader is there. Otherwise the visible messages keep their place on
// the screen, and a button shows how many new messages there are. Three buttons, at the message
// under the pointer or chosen by arrow keys, react, reply, and open the menu of that message; on a
// touch screen a long press opens it.

import { carriesText } from '../connection/protocol.js';
import { find, indexOf } from '../store/room.js';
import { isChannel, isUser } from '../store/state.js';
import { t } from '../texts/language.js';
import { messageMenu, reactionMenu, reply } from './actions.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { MessageRange, rows } from './feed-rows.js';
import { content } from './message-row.js';
import { calendar } from './time.js';

/** A distance from the end that counts as at the end. */
const NEAR_PX = 100;
/**
 * The number of earlier messages loaded at once, and the distance in screens at which loading
 * starts.
 */
const OLDER = 100, SCREENS = 2;
/** How far the buttons at a message reach into the one above. */
const ABOVE_PX = 14;
/** How long a press is that opens a menu. */
const PRESS_MS = 500;
/** After a room is opened or history arrives, nothing is announced for this long. */
const QUIET_MS = 500;

export class Feed {
  #chat;
  #log = byId('feed');
  #down = byId('down');
  #up = byId('first-unread');
  #more = byId('actions');
  #tools = byId('tools'); // #more and two buttons beside it
  #chosen = null; // the row that the buttons are at
  #press = 0;
  #list = null;
  #room = null; // or a part of its history
  #main = null; // the room as a whole
  #target = null;
  #revealed = new Set(); // numbers of messages of ignored people that are shown
  #unfolded = new Set(); // ids of the first of notes in a row that are shown one by one
  #pending = [];
  #range = new MessageRange();
  #atEnd = true;
  #top = 0; // scroll position when the feed was last at its end
  #seen = 0; // the newest number when the end was last in sight
  #newest = 0; // the newest number that was shown or counted
  #nonces = new Set(); // of the reader's messages while the room is open
  #quiet = 0;
  #calendar = '';

  constructor(chat) {
    this.#chat = chat;
    this.#log.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    this.#down.addEventListener('click', () => {
      chat.past.leave(this.#main);
      this.#room = this.#main;
      this.#toEnd();
      this.#log.focus({ preventScroll: true });
    });
    this.#up.addEventListener('click',
      () => chat.past.jump(this.#main, this.#main.newAfter + 1, true));
    this.#log.addEventListener('click', (event) => {
      const link = event.target.closest('a[href^="#"]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      chat.follow(link.getAttribute('href'));
    });
    this.#listenToActions();
    // A keyboard slides up or the composer grows: a reader at the end stays there.
    new ResizeObserver(() => {
      if (this.#atEnd && this.#room) this.#stick();
      this.#follow();
    }).observe(this.#log);
  }

  show(room, pending) {
    if (!room) {
      this.#log.replaceChildren();
      this.#room = this.#main = null;
      return;
    }
    const isOther = room !== this.#main;
    if (isOther) this.#begin(room);
    this.#room = room.past ?? room;
    const own = pending.some(({ nonce }) => !this.#nonces.has(nonce)) || this.#hasNewOwn(room);
    for (const { nonce } of pending) this.#nonces.add(nonce);
    this.#pending = pending;
    // it takes 16 ms at first, and a page starts without messages
    if (this.#room.messages.length + pending.length > 0) this.#calendar = calendar();
    this.#newest = room.messages.at(-1)?.seq ?? 0;
    this.#hushWhileLoading(isOther);
    // the newest messages are shown again
    const isLeft = this.#target !== null && room.target === null;
    if (isLeft) this.#target = null;
    if (room.target?.found && room.target !== this.#target) this.#reveal(room.target);
    else if (!room.past && (isOther || own || isLeft || this.#atEnd)) this.#toEnd();
    else {
      this.#draw();
      this.#showDown();
    }
    this.#loadAhead();
  }

  #begin(room) {
    this.#log.replaceChildren();
    const chat = this.#chat;
    this.#list = new Keyed(this.#log, makeRow, (node, row) =>
      this.#update(node, row, {
        me: chat.state.me?.name,
        isUser: (name) => isUser(chat.state, name),
        isChannel: (name) => isChannel(chat.state, name),
        older: () => this.#loadOlder(),
        retry: (nonce) => chat.retry(nonce),
        discard: (nonce) => chat.discard(nonce),
        undo: (seq) => chat.deletions.undo(room, seq),
        react: (message, emoji) => chat.react(room, message, emoji),
        fold: (id) => {
          if (!this.#unfolded.delete(id)) this.#unfolded.add(id);
          this.#draw();
        },
        reveal: (seqs) => {
          for (const seq of seqs) this.#revealed.add(seq);
          this.#draw();
        },
      }));
    this.#main = room;
    this.#target = this.#chosen = null;
    this.#revealed.clear();
    this.#range = new MessageRange();
    this.#newest = room.messages.at(-1)?.seq ?? 0;
    this.#nonces = new Set();
  }

  /** Whether a message of the reader came from another tab since the feed was last shown. */
  #hasNewOwn({ messages }) {
    if (this.#newest === 0) return false;
    return messages.slice(indexOf(messages, this.#newest + 1))
      .some((message) =>
        carriesText(message) && this.#chat.isMine(message) && !this.#nonces.has(message.nonce)
      );
  }

  #hushWhileLoading(isOther) {
    const isLoading = () => this.#room?.filling || this.#room?.fetchingOlder;
    if (!isLoading() && !isOther) return;
    set(this.#log, 'aria-busy', 'true');
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(
      () => (isLoading() ? this.#hushWhileLoading(true) : set(this.#log, 'aria-busy', null)),
      QUIET_MS,
    );
  }

  /** Updates the rows. The visible messages keep their place. */
  #draw() {
    const anchor = this.#atEnd ? null : this.#anchor();
    const [from, to] = this.#range.range(this.#room.messages, this.#atEnd);
    const { ignored, deletions } = this.#chat;
    this.#list.show(
      rows(this.#room, this.#pending, (message) => this.#chat.isMine(message), from, to, {
        ignored: ({ author, seq }) => ignored.has(author) && !this.#revealed.has(seq),
        deleting: (seq) => deletions.has(this.#main, seq),
        joins: this.#chat.hidesJoins,
        unfolded: (id) => this.#unfolded.has(id),
      }),
    );
    if (anchor?.row.isConnected) this.#log.scrollTop += textTop(anchor.row) - anchor.top;
    this.#follow();
  }

  /** The first message in sight. */
  #anchor() {
    const { top } = this.#log.getBoundingClientRect();
    const row = [...this.#log.children].find((one) =>
      one.dataset.kind === 'message' && one.getBoundingClientRect().bottom > top
    );
    return row ? { row, top: textTop(row) } : null;
  }

  #onScroll() {
    if (!this.#room) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const below = scrollHeight - scrollTop - clientHeight;
    if (this.#chosen?.matches(':hover')) this.#follow();
    else this.#tools.classList.remove('shown');
    this.#showUp();
    if (below < SCREENS * clientHeight && this.#range.down(this.#room.messages))
      return this.#draw();
    if (below < SCREENS * clientHeight && this.#room.newer) this.#chat.past.newer(this.#main);
    // A feed that shrinks or gets more content isn't scrolled up: the reader is still at the end.
    this.#setAtEnd(
      !this.#room.newer && (below < NEAR_PX || (this.#atEnd && scrollTop >= this.#top)),
    );
    this.#loadAhead();
    return undefined;
  }

  /** Loads earlier messages before the reader reaches the top. */
  #loadAhead() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    if (scrollHeight <= clientHeight || scrollTop < SCREENS * clientHeight) this.#loadOlder();
  }

  #loadOlder() {
    const room = this.#room;
    if (this.#atEnd && this.#log.scrollHeight > (SCREENS + 1) * this.#log.clientHeight) return;
    if (this.#range.up(room.messages)) {
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

  /** Shows a message in the middle of the feed, and marks it. */
  #reveal(target) {
    this.#target = target;
    this.#range.around(this.#room.messages, target.seq);
    this.#atEnd = false;
    this.#draw();
    const row = [...this.#log.children].find(({ dataset }) => Number(dataset.seq) >= target.seq)
      ?? this.#log.lastElementChild;
    row.scrollIntoView({ block: 'center' });
    this.#log.querySelector('[data-target]')?.removeAttribute('data-target');
    set(row, 'data-target', true);
    this.#choose(row);
    if (target.focus) this.#more.focus({ preventScroll: true });
    this.#onScroll();
    this.#showDown();
  }

  #listenToActions() {
    const rowOf = (node) => node.closest?.('.row[data-kind=message]') ?? null;
    const log = this.#log;
    let isLong = false; // whether the press that began last opened a menu
    log.addEventListener('pointerover',
      ({ target, pointerType }) =>
        pointerType === 'mouse' && rowOf(target) && this.#choose(rowOf(target)));
    log.addEventListener('pointerdown', ({ target, pointerType, clientX, clientY }) => {
      clearTimeout(this.#press);
      isLong = false;
      const row = pointerType === 'touch' ? rowOf(target) : null;
      if (!row) return;
      this.#press = setTimeout(() => {
        isLong = true;
        this.#open(row, new DOMRect(clientX, clientY));
      }, PRESS_MS);
    });
    for (const end of ['pointerup', 'pointercancel', 'scroll'])
      log.addEventListener(end, () => clearTimeout(this.#press), { passive: true });
    // The end of a long press is no click on the menu that opened there.
    log.addEventListener('touchend', (event) => isLong && event.preventDefault());
    // The browser's own menu of a long press would select words.
    log.addEventListener('contextmenu',
      (event) => event.pointerType === 'touch' && rowOf(event.target) && event.preventDefault());
    this.#tools.addEventListener('focusin',
      () => this.#choose(this.#chosen?.isConnected ? this.#chosen : this.#messageRows().at(-1)));
    this.#more.addEventListener('click',
      () => this.#open(this.#chosen, this.#more.getBoundingClientRect()));
    byId('react').addEventListener('click',
      () =>
        this.#withChosen((message) =>
          reactionMenu(this.#chat, this.#main, message, this.#tools.getBoundingClientRect())
        ));
    byId('reply').addEventListener('click',
      () => this.#withChosen((message) => reply(this.#chat, this.#main, message)));
    this.#tools.addEventListener('keydown', (event) => {
      const list = this.#messageRows();
      const next = list[list.indexOf(this.#chosen) + { ArrowUp: -1, ArrowDown: 1 }[event.key]];
      if (!next) return;
      event.preventDefault();
      next.scrollIntoView({ block: 'nearest' });
      this.#choose(next);
    });
  }

  #messageRows = () => [...this.#log.querySelectorAll('[data-kind=message]')];

  /** Moves the buttons to a row: at its upper edge. */
  #choose(row) {
    if (!row) return;
    this.#chosen = row;
    const message = this.#messageOf(row);
    if (!message?.text) return;
    set(this.#more, 'aria-label', t.menu.of(message.from, message.text.slice(0, 80)));
    this.#tools.style.top = `${
      Math.max(0,
        row.getBoundingClientRect().top - this.#log.getBoundingClientRect().top - ABOVE_PX)
    }px`;
    this.#tools.classList.add('shown');
  }

  /**
   * Keeps the buttons at their row when that moves. If the message is gone, so is its text in the
   * label.
   */
  #follow() {
    const isThere = this.#chosen?.isConnected && this.#messageOf(this.#chosen)?.text;
    if (isThere && this.#tools.classList.contains('shown')) this.#choose(this.#chosen);
    if (isThere) return;
    this.#tools.classList.remove('shown');
    set(this.#more, 'aria-label', t.page.actions);
  }

  #messageOf = (row) => find(this.#main, Number(row.dataset.seq));

  #open(row, rect) {
    const message = row && this.#messageOf(row);
    if (message?.text) messageMenu(this.#chat, this.#main, message, rect);
  }

  #withChosen(act) {
    const message = this.#chosen && this.#messageOf(this.#chosen);
    if (message?.text) act(message);
  }

  #setAtEnd(atEnd) {
    this.#atEnd = atEnd;
    if (atEnd) [this.#seen, this.#top] = [this.#newest, this.#log.scrollTop];
    this.#showDown();
    this.#chat.markers.atEnd = atEnd;
    if (atEnd) this.#chat.markers.update();
  }

  /** The button to the line "New", while that is above what is in sight. */
  #showUp() {
    const { newAfter, messages } = this.#main;
    const line = this.#log.querySelector('[data-kind=new]');
    const isAbove = line
      ? line.getBoundingClientRect().bottom < this.#log.getBoundingClientRect().top
      : messages[0]?.seq > newAfter;
    this.#up.hidden = newAfter === null || Boolean(this.#room.newer) || !isAbove;
  }

  #showDown() {
    this.#showUp();
    const { messages } = this.#room;
    const unseen = this.#atEnd || this.#room.newer
      ? 0
      : messages.slice(indexOf(messages, this.#seen + 1)).filter(carriesText).length;
    this.#down.hidden = this.#atEnd;
    set(this.#down, 'class', unseen === 0 ? 'down plain' : 'down');
    setText(this.#down, unseen === 0 ? t.feed.latest : t.feed.newMessages(unseen));
  }

  #update(node, row, context) {
    const stamp = `${row.kind} ${row.stamp} ${this.#calendar}`;
    if (node.dataset.stamp === stamp) return;
    const isChange = row.kind === 'message' && node.dataset.kind === 'message';
    node.dataset.stamp = stamp;
    node.dataset.kind = row.kind;
    if (row.message) node.dataset.seq = row.message.seq;
    if (row.kind !== 'message' && row.kind !== 'pending') set(node, 'class', 'row');
    const parts = content(node, row, context);
    // a reaction doesn't have the whole message read out again
    if (isChange) set(node, 'aria-live', 'off');
    const emoji = node.contains(document.activeElement)
      ? document.activeElement.dataset.emoji
      : undefined;
    node.replaceChildren(...parts);
    if (emoji === undefined) return;
    // The keyboard stays at the reaction, or at its message if the reaction is gone.
    this.#chosen = node;
    ([...node.querySelectorAll('[data-emoji]')].find(({ dataset }) => dataset.emoji === emoji)
      ?? this.#more).focus({ preventScroll: true });
  }
}

/** The top of a message's text: its name may come and go above it. */
const textTop = (row) => (row.querySelector('.text') ?? row).getBoundingClientRect().top;

function makeRow({ kind, own }) {
  const side = kind === 'pending' || own ? 'row mine' : kind === 'message' ? 'row theirs' : 'row';
  return element('div', { class: side });
}
