// The sidebar: channels, private conversations, people online, and the user's own name. On a small screen it is a drawer.

import { isMentioned, unread } from '../store/room.js';
import { HOME, channelRoom, isOnline, people, personRoom } from '../store/state.js';
import * as address from '../texts/address.js';
import { number, t } from '../texts/language.js';
import { alternativeName, byName } from '../texts/names.js';
import { showAvatar } from './avatar.js';
import * as dialogs from './dialogs.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { personButton } from './member-list.js';

export class Sidebar {
  #chat;
  #channels = new Keyed(byId('channels'), () => this.#makeLink(true), showLink);
  #conversations = new Keyed(byId('conversations'), () => this.#makeLink(false), showLink);
  #people = new Keyed(byId('people'), (row) => this.#makePerson(row), () => {});
  #filter = byId('filter');
  #newChannel = byId('new-channel');
  #lost = false; // whether the error below "New channel" is that there was no connection

  constructor(chat) {
    this.#chat = chat;
    byId('create').addEventListener('submit', (event) => this.#create(event));
    this.#newChannel.addEventListener('input', () => this.#showError(''));
    this.#filter.addEventListener('input', () => this.show());
    this.#filter.addEventListener('keydown', (event) => this.#onFilterKey(event));
    byId('leave-chat').addEventListener('click', () => chat.quit());
    byId('change-name').addEventListener('click', () => this.#changeName());
    this.#listenToDrawer();
  }

  show() {
    const { state, downSince, fixedName } = this.#chat;
    const open = state.rooms.get(state.open);
    byId('change-name').hidden = fixedName !== null;
    if (downSince === null && this.#lost) this.#showError('');
    const names = new Set([HOME, ...state.channels.keys(), ...(state.me ? [] : state.wanted)]); // what the browser knows, before the server answers
    for (const room of state.rooms.values()) if (room.kind === 'channel' && (room.joined || room === open)) names.add(room.name);
    const wanted = this.#filter.value.trim().replace(/^#/, '').toLowerCase();
    const shown = [...names].filter((name) => name.toLowerCase().includes(wanted))
      .sort((a, b) => (b === HOME) - (a === HOME) || byName(a, b));
    this.#channels.show(shown.map((name) => {
      const room = state.rooms.get(`#${name}`) ?? { key: `#${name}`, kind: 'channel', name, known: 0, read: 0, silent: [] };
      return { key: room.key, room, open: room === open, quiet: !room.joined && !state.wanted.has(name) };
    }));
    setText(byId('no-channels'), shown.length === 0 ? t.sidebar.noMatch : '');

    const conversations = people(state);
    this.#conversations.show(conversations.map((room) => {
      const online = downSince === null ? isOnline(state, room) : null; // unknown without a connection
      return { key: room.key, room, open: room === open, quiet: !isOnline(state, room), online };
    }));
    byId('no-conversations').hidden = conversations.length > 0;

    const me = state.me?.name;
    const others = [...state.users].filter((name) => name !== me).sort(byName);
    const listed = me === undefined ? others : [me, ...others];
    this.#people.show(listed.map((name) => ({ key: `${name} ${name === me}`, name, you: name === me })));
    setText(byId('online'), state.online > 0 ? number(state.online) : '');

    setText(byId('me'), me ?? '');
    showAvatar(byId('me-avatar'), me ?? '');
    byId('elsewhere').hidden = ![...state.rooms.values()].some((room) => room !== open && unread(room) > 0);
  }

  #makeLink(isChannel) {
    const onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // in another tab or window
      event.preventDefault();
      this.#setDrawer(false);
      this.#chat.open(isChannel ? channelRoom(this.#chat.state, link.room.name) : link.room, { focus: true });
    };
    const sign = isChannel ? element('span', { class: 'sign', 'aria-hidden': 'true' }, '#') : face();
    const link = element('a', { onclick }, sign, element('bdi', { class: 'name' }), element('span', { class: 'number', hidden: true }));
    return element('li', {}, link);
  }

  #makePerson({ name, you }) {
    const write = () => {
      this.#setDrawer(false);
      this.#chat.open(personRoom(this.#chat.state, name), { focus: true });
    };
    const letter = face();
    showAvatar(letter.firstChild, name, 'small');
    return element('li', {}, personButton(this.#chat, name, you, write, letter));
  }

  async #create(event) {
    event.preventDefault();
    const field = this.#newChannel;
    const name = field.value.trim();
    if (name === '') return field.focus();
    this.#showError('');
    try {
      await this.#chat.enterChannel(name);
      field.value = '';
    } catch (error) {
      this.#showError(error.message, error.code === 'lost');
      field.focus();
    }
    return undefined;
  }

  #showError(text, lost = false) {
    setText(byId('create-error'), text);
    this.#lost = lost;
  }

  #changeName() {
    dialogs.prompt(t.chat.renameTitle, t.page.yourName, this.#chat.state.me?.name ?? '', t.chat.rename, async (name) => {
      try {
        await this.#chat.rename(name);
      } catch (error) {
        const other = alternativeName(name, error.code);
        throw other ? { message: t.signIn.proposal(error.message, other) } : error;
      }
    });
  }

  /** In the filter Enter opens the first channel that is left, Escape shows all again. */
  #onFilterKey(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      byId('channels').querySelector('a')?.click();
    } else if (event.key !== 'Escape' || this.#filter.value === '') return;
    event.stopPropagation();
    event.preventDefault();
    this.#filter.value = '';
    this.show();
  }

  #listenToDrawer() {
    const isOpen = () => byId('menu').getAttribute('aria-expanded') === 'true';
    const close = () => {
      this.#setDrawer(false);
      byId('menu').focus();
    };
    byId('menu').addEventListener('click', () => {
      this.#setDrawer(!isOpen());
      if (isOpen()) byId('sidebar').querySelector('[aria-current], a')?.focus();
    });
    byId('curtain').addEventListener('click', close);
    addEventListener('keydown', ({ key }) => key === 'Escape' && isOpen() && close());
    // A window that becomes wide enough shows the sidebar as a column.
    matchMedia('(min-width: 45rem)').addEventListener('change', () => this.#setDrawer(false));
  }

  #setDrawer(open) {
    set(byId('menu'), 'aria-expanded', String(open));
    byId('sidebar').classList.toggle('open', open);
    byId('curtain').hidden = !open;
    byId('main').inert = open;
  }
}

/** A person's letter with a dot that shows whether they are online. */
const face = () => element('span', { class: 'face', 'aria-hidden': 'true' }, element('span', { class: 'avatar small' }), element('span', { class: 'dot' }));

function showLink(item, { room, open, quiet, online }) {
  const link = item.firstChild;
  const [sign, name, badge] = link.children;
  link.room = room;
  const count = unread(room);
  const mentioned = isMentioned(room);
  set(link, 'href', address.of(room));
  set(link, 'aria-current', open ? 'page' : null);
  set(link, 'class', [quiet && 'quiet', count > 0 && 'unread', mentioned && 'mentioned'].filter(Boolean).join(' ') || null);
  if (room.kind === 'person') {
    showAvatar(sign.firstChild, room.name, 'small');
    set(sign.lastChild, 'class', online ? 'dot' : 'dot away');
  }
  setText(name, room.name);
  const presence = online === undefined || online === null ? null : online ? t.room.online : t.room.offline;
  set(link, 'aria-label', [room.name, count > 0 && t.sidebar.unread(count), mentioned && t.sidebar.mentioned, presence].filter(Boolean).join(', '));
  set(badge, 'hidden', count === 0);
  // Drawn by the style sheet: as text it would have to be part of the link's name.
  set(badge, 'data-count', `${mentioned ? '@ ' : ''}${count > 99 ? `${number(99)}+` : number(count)}`);
}
