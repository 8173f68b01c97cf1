// The panel of three lists: what a search finds, as it comes, with the words marked; the mentions
// of the reader; and what is unread. The newest is first, and a click shows the message in its
// room.

import { unread } from '../store/room.js';
import { mentionsMe, news, openRoom, roomOf } from '../store/state.js';
import * as protocol from '../connection/protocol.js';
import { t } from '../texts/language.js';
import { marked } from '../texts/mark.js';
import { plain } from '../texts/markup.js';
import { button, byId, element, set, setText } from './dom.js';
import { whenOf } from './time.js';

/** A pause in typing after which the server is asked. */
const PAUSE_MS = 250;
const PAGE = 50;

export class Search {
  #chat;
  #timer = 0;
  #view = 'search';
  #asked = null; // the question whose answers are shown
  #panel = byId('search');
  #text = byId('search-text');
  #scope = byId('search-scope');
  #results = byId('results');
  #more = byId('search-more');
  #read = byId('mark-read');

  constructor(chat) {
    this.#chat = chat;
    byId('search-close').addEventListener('click', () => this.#close());
    this.#text.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#begin(), PAUSE_MS);
    });
    this.#scope.addEventListener('change', () => this.#begin());
    this.#more.addEventListener('click', () => this.#ask(this.#asked));
    setText(this.#more, t.search.more);
    this.#read.addEventListener('click', () => {
      chat.readAll();
      this.#begin();
    });
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target === this.#text && !event.isComposing) this.#begin();
      if (event.key !== 'Escape') return;
      event.stopPropagation(); // the page's own Escape moves the focus
      event.preventDefault();
      this.#close();
    });
  }

  /** Opens the panel, perhaps with a text to search for. */
  open(text = null) {
    this.#show('search');
    this.#setOpen(true);
    if (text !== null) this.#text.value = text;
    this.#text.focus();
    this.#text.select();
    if (text !== null || !this.#asked) this.#begin();
  }

  /** Opens the list `unread` or `mentions`. */
  list(view) {
    this.#show(view);
    this.#setOpen(true);
    this.#begin();
    byId('search-close').focus();
  }

  /** Opens the panel to search, or closes it. */
  toggle() {
    if (this.#panel.hidden || this.#view !== 'search') this.open();
    else this.#close();
  }

  #show(view) {
    if (this.#view !== view) this.#asked = null;
    this.#view = view;
    setText(byId('search-title'), t.page[view]);
    set(this.#panel, 'aria-label', t.page[view]);
    this.#text.hidden = this.#scope.hidden = view !== 'search';
    this.#read.hidden = true;
  }

  #close() {
    this.#setOpen(false);
    byId('search-button').focus();
    // in a closed drawer it can't have the focus
    if (this.#view !== 'search') byId(this.#view).focus();
  }

  #setOpen(isOpen) {
    this.#panel.hidden = !isOpen;
    set(byId('search-button'), 'aria-expanded', String(isOpen && this.#view === 'search'));
  }

  /** The user left: nothing of the search stays for the next one. */
  forget() {
    if (!this.#asked) return;
    this.#setOpen(false);
    this.#show('search');
    this.#text.value = '';
    this.#begin();
    this.#asked = null;
  }

  #begin() {
    clearTimeout(this.#timer);
    if (this.#view === 'unread') return this.#showUnread();
    if (this.#view === 'mentions') return this.#start(`@${this.#chat.state.me?.name}`, {});
    const text = this.#text.value.trim();
    const room = this.#scope.value === 'here' ? openRoom(this.#chat.state) : null;
    return this.#start(text, room ? protocol.target(room) : {});
  }

  /**
   * Shows the unread messages that the page holds, and how many there are in rooms that it hasn't
   * loaded.
   */
  #showUnread() {
    const { state } = this.#chat;
    this.#asked = { text: '', where: {}, before: undefined, count: 0 };
    const rooms = [...state.rooms.values()].filter((room) => news(state, room) > 0);
    const held = rooms.flatMap(({ messages, read }) =>
      messages.filter((message) =>
        message.seq > read && message.text && !this.#chat.isMine(message)
      )
    );
    const rest = rooms.filter((room) => !held.some((message) => roomOf(state, message) === room));
    this.#results.replaceChildren(
      ...rest.map((room) =>
        element('li', {}, button({
          onclick: () => this.#chat.open(room, { focus: true }),
        }, element('bdi', { class: 'hint' }, `${room.kind === 'channel' ? '#' : '@'}${room.name}`),
          t.sidebar.unread(unread(room))))
      ),
      ...held.sort((a, b) => b.at - a.at).slice(0, 4 * PAGE).map((message) =>
        this.#result(message, '')
      ),
    );
    this.#more.hidden = true;
    this.#read.hidden = rooms.length === 0;
    setText(byId('search-status'), rooms.length === 0 ? t.search.noUnread : '');
  }

  /** Replaces the results by those of a text; `where` names a room as in commands, or is empty. */
  #start(text, where) {
    this.#asked = { text, where, before: undefined, count: 0 };
    this.#results.replaceChildren();
    this.#more.hidden = true;
    if (text === '') setText(byId('search-status'), t.search.intro);
    else this.#ask(this.#asked);
  }

  async #ask(question) {
    const { text, where, before } = question;
    setText(byId('search-status'), t.search.searching);
    this.#more.hidden = true;
    try {
      const { results, more, before: next } = await this.#chat.search({
        text,
        ...where,
        before,
        limit: PAGE,
      });
      if (question !== this.#asked) return; // another question was asked meanwhile
      question.before = next;
      const isMention = (message) =>
        this.#view !== 'mentions'
        || (!this.#chat.isMine(message) && mentionsMe(this.#chat.state, message.text));
      const shown = results.filter(isMention);
      question.count += shown.length;
      this.#results.append(...shown.map((message) => this.#result(message, text)));
      setText(byId('search-status'), question.count > 0 || more
        ? t.search.found(question.count, more)
        : this.#view === 'mentions'
        ? t.search.noMentions
        : t.search.none);
      this.#more.hidden = !more;
    } catch (error) {
      if (question === this.#asked) setText(byId('search-status'), error.message);
    }
  }

  /**
   * A message was changed or deleted, or a channel cleared or removed: no result shows the old
   * text.
   */
  outdated({ channel, conversation, of, type, text, gone = [] }) {
    const items = [...this.#results.children];
    const lost = type === 'cleared' ? [channel] : gone;
    if (items.some(({ message }) => lost.includes(message?.channel)))
      return this.#start(this.#asked.text, this.#asked.where);
    const item = items.find(({ message: one }) =>
      one?.seq === of && one.channel === channel && one.conversation === conversation
    );
    if (type === 'deleted') item?.remove();
    else item?.replaceWith(this.#result({ ...item.message, text }, this.#asked.text));
    return undefined;
  }

  #result(message, text) {
    const { channel, from, at } = message;
    const room = roomOf(this.#chat.state, message);
    const where = channel === undefined ? `@${room?.name ?? ''}` : `#${channel}`;
    const words = marked(plain(message.text), text)
      .map(([part, isFound]) => (isFound ? element('mark', {}, part) : part));
    const item = element('li', {},
      button({ onclick: () => this.#go(message) },
        element('span', { class: 'hint' }, element('bdi', {}, where),
          ...(where === `@${from}` ? [] : [' · ', element('bdi', {}, from)]), ` · ${whenOf(at)}`),
        element('span', { class: 'found', dir: 'auto' }, ...words)));
    return Object.assign(item, { message });
  }

  #go(message) {
    if (matchMedia('(width < 64rem)').matches) this.#close();
    this.#chat.show(message);
  }
}
