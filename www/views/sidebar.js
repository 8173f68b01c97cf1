// The sidebar: the channels that the user is in, and private conversations. On a small screen it is
// a drawer.

import { draftKey } from '../store/drafts.js';
import { isMentioned } from '../store/room.js';
import { HOME, channelRoom, isOnline, news, people } from '../store/state.js';
import * as storage from '../store/storage.js';
import * as address from '../texts/address.js';
import { countOf, number, t } from '../texts/language.js';
import { byName } from '../texts/names.js';
import { showAvatar } from './avatar.js';
import { Keyed, byId, element, icon, set, setText } from './dom.js';

/** With more channels than this, private messages are above them. */
const FEW_CHANNELS = 15;

export class Sidebar {
  #chat;
  #channels = new Keyed(byId('channels'), () => this.#makeLink(true), showLink);
  #conversations = new Keyed(byId('conversations'), () => this.#makeLink(false), showLink);
  #filter = byId('filter');

  /**
   * `browse()` opens the list of all channels, `jump()` finds a person, `list(view)` shows what is
   * unread, or the mentions.
   */
  constructor(chat, browse, jump, list) {
    this.#chat = chat;
    this.#filter.addEventListener('input', () => this.show());
    this.#filter.addEventListener('keydown', (event) => this.#onFilterKey(event));
    const from = (button, act) =>
      byId(button).addEventListener('click', () => {
        this.#setDrawer(false);
        act();
      });
    from('browse', browse);
    from('new-channel', browse);
    from('new-direct', jump);
    from('unread', () => list('unread'));
    from('mentions', () => list('mentions'));
    this.#listenToDrawer();
  }

  show() {
    const { state, downSince } = this.#chat;
    const open = state.rooms.get(state.open);
    const drafts = new Set(storage.drafts.get().map(([key]) => key));
    const look = (room) => ({
      key: room.key,
      room,
      open: room === open,
      count: news(state, room),
      muted: state.muted.has(room.key),
      draft: room !== open && drafts.has(draftKey(room)),
    });
    const wanted = this.#filter.value.trim().replace(/^[#@]/, '').toLowerCase();
    const isShown = ({ name }) => name.toLowerCase().includes(wanted);
    const names = new Set([HOME, ...state.wanted]);
    for (const room of state.rooms.values())
      if (room.kind === 'channel' && (room.joined || room === open)) names.add(room.name);
    const channels = [...names].map((name) =>
      state.rooms.get(`#${name}`)
        ?? { key: `#${name}`, kind: 'channel', name, known: 0, read: 0, silent: [] }
    )
      .filter(isShown).sort((a, b) =>
        (b.name === HOME) - (a.name === HOME) || byName(a.name, b.name)
      );
    this.#channels.show(
      channels.map((room) => ({
        ...look(room),
        quiet: !room.joined && !state.wanted.has(room.name),
      })),
    );
    const conversations = people(state);
    const matching = conversations.filter(isShown);
    this.#conversations.show(matching.map((room) => {
      // unknown without a connection
      const online = downSince === null ? isOnline(state, room) : null;
      return { ...look(room), quiet: !isOnline(state, room), online };
    }));
    byId('no-conversations').hidden = conversations.length > 0;
    const below = byId(names.size > FEW_CHANNELS ? 'channels-title' : 'no-matches');
    if (byId('direct').nextElementSibling !== below) below.before(byId('direct'));
    setText(byId('no-matches'), channels.length + matching.length === 0 ? t.sidebar.noMatch : '');
    const added = state.newChannels.size;
    set(byId('new-count'), 'hidden', added === 0);
    set(byId('new-count'), 'data-count', countOf(added));
    set(byId('browse'), 'aria-label',
      added > 0 ? `${t.page.browse}, ${t.channels.newCount(added)}` : null);
    byId('elsewhere').hidden = ![...state.rooms.values()].some((room) =>
      room !== open && news(state, room) > 0
    );
  }

  #makeLink(isChannel) {
    const onclick = (event) => {
      // in another tab or window
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      this.#setDrawer(false);
      this.#chat.open(isChannel ? channelRoom(this.#chat.state, link.room.name) : link.room, {
        focus: true,
      });
    };
    const sign = isChannel
      ? element('span', { class: 'sign', 'aria-hidden': 'true' }, '#')
      : face();
    const link = element('a', { onclick }, sign, element('bdi', { class: 'name' }),
      icon('pencil', 'draft'), element('span', { class: 'number', hidden: true }));
    return element('li', {}, link);
  }

  /** In the filter Enter opens the first room that is left, Escape shows all again. */
  #onFilterKey(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      (byId('channels').querySelector('a') ?? byId('conversations').querySelector('a'))?.click();
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
const face = () =>
  element('span', { class: 'face', 'aria-hidden': 'true' },
    element('span', { class: 'avatar small' }), element('span', { class: 'dot' }));

function showLink(item, { room, open, quiet, online, count, muted, draft }) {
  const link = item.firstChild;
  const [sign, name, pencil, badge] = link.children;
  link.room = room;
  const mentioned = isMentioned(room);
  set(link, 'href', address.of(room));
  set(link, 'aria-current', open ? 'page' : null);
  const wantsAttention = mentioned || (room.kind === 'person' && count > 0);
  set(link, 'class',
    [quiet && 'quiet', count > 0 && 'unread', muted && 'muted', wantsAttention && 'mentioned']
      .filter(Boolean).join(' ') || null);
  if (room.kind === 'person') {
    showAvatar(sign.firstChild, room.name, 'small');
    set(sign.lastChild, 'class', online ? 'dot' : 'dot away');
  }
  setText(name, room.name);
  const presence = online === undefined || online === null
    ? null
    : online
    ? t.room.online
    : t.room.offline;
  set(link, 'aria-label', [
    room.name,
    count > 0 && t.sidebar.unread(count),
    mentioned && t.sidebar.mentioned,
    muted && t.sidebar.muted,
    draft && t.sidebar.draft,
    presence,
  ].filter(Boolean).join(', '));
  set(pencil, 'hidden', !draft);
  set(badge, 'hidden', count === 0);
  // Drawn by the style sheet: as text it would have to be part of the link's name.
  set(badge, 'data-count',
    `${mentioned ? '@ ' : ''}${count > 99 ? `${number(99)}+` : countOf(count)}`);
}
