// The column: channels, private conversations, people online, and who one is.
//
// An item's accessible name begins with the name that it stands for; the `#` and the dots are for the eye alone.
// Not here: what a click does (chat.js), the messages (feed.js).

import * as address from '../texts/address.js';
import { initial, hue } from './avatar.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { byName } from '../texts/collation.js';
import { isMentioned, unread } from '../store/room.js';
import { HOME, channelPlace, people, personPlace } from '../store/state.js';

export class Sidebar {
  #chat;
  #channels = new Keyed(byId('channels'), (row) => this.#link(row), showLink);
  #conversations = new Keyed(byId('conversations'), (row) => this.#link(row), showLink);
  #people = new Keyed(byId('people'), (row) => this.#person(row), showPerson);

  constructor(chat) {
    this.#chat = chat;
    const field = byId('new-channel');
    byId('create').addEventListener('submit', async (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (name === '') return field.focus();
      setText(byId('create-error'), '');
      try {
        await chat.enterChannel(name);
        field.value = '';
      } catch (error) {
        setText(byId('create-error'), error.message);
        field.focus();
      }
    });
    field.addEventListener('input', () => setText(byId('create-error'), ''));
    byId('filter').addEventListener('input', () => this.show(chat.state));
    byId('filter').addEventListener('keydown', (event) => this.#filterKey(event));
    byId('leave-chat').addEventListener('click', () => chat.quit());
    this.#drawer();
  }

  show(state) {
    const names = new Set([HOME, ...state.channels.keys()]);
    for (const place of state.places.values()) if (place.kind === 'channel' && (place.joined || place.key === state.open)) names.add(place.name);
    const sorted = [...names].filter((name) => matches(name, byId('filter').value)).sort((a, b) => (b === HOME) - (a === HOME) || byName(a, b));
    this.#channels.show(sorted.map((name) => {
      const place = state.places.get(`#${name}`) ?? { key: `#${name}`, kind: 'channel', name, known: 0, read: 0 };
      return { key: place.key, place, open: place.key === state.open, quiet: !place.joined && !state.wanted.has(name), sign: '#' };
    }));

    const conversations = people(state);
    setText(byId('no-channels'), sorted.length === 0 ? 'No channel is called so.' : '');
    this.#conversations.show(conversations.map((place) => (
      { key: place.key, place, open: place.key === state.open, quiet: !isHere(state, place), away: !isHere(state, place) })));
    byId('no-conversations').hidden = conversations.length > 0;

    const me = state.me?.name;
    const here = [...state.users].filter((name) => name !== me).sort(byName);
    if (me !== undefined) here.unshift(me);
    this.#people.show(here.map((name) => ({ key: name, name, you: name === me })));
    setText(byId('online'), state.online > 0 ? String(state.online) : '');

    setText(byId('me'), me ?? '');
    setText(byId('me-avatar'), initial(me ?? ''));
    set(byId('me-avatar'), 'class', `avatar ${hue(me ?? '')}`);
    const elsewhere = [...state.places.values()].some((place) => place.key !== state.open && unread(place) > 0);
    byId('elsewhere').hidden = !elsewhere;
  }

  #link(row) {
    const link = element('a', {
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // in another tab or window
        event.preventDefault();
        this.#close();
        const { state } = this.#chat;
        this.#chat.open(link.place.kind === 'channel' ? channelPlace(state, link.place.name) : link.place, { focus: true });
      },
    },
    row.sign ? element('span', { class: 'sign', 'aria-hidden': 'true' }, row.sign) : face(row.place.name),
    element('bdi', { class: 'name' }),
    element('span', { class: 'number', hidden: true }));
    return element('li', {}, link);
  }

  #person({ name }) {
    const button = element('button', {
      type: 'button',
      onclick: () => {
        this.#close();
        this.#chat.open(personPlace(this.#chat.state, name), { focus: true });
      },
    },
    face(name),
    element('span', { class: 'name' }, element('bdi', {}, name), element('span', { class: 'you' })));
    return element('li', {}, button);
  }

  /** Enter opens the first that is left, Escape shows all again. */
  #filterKey(event) {
    const field = event.currentTarget;
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      byId('channels').querySelector('a')?.click();
    } else if (event.key !== 'Escape' || field.value === '') return;
    event.stopPropagation();
    event.preventDefault();
    field.value = '';
    this.show(this.#chat.state);
  }

  /** On a small screen the column is a drawer. */
  #drawer() {
    const menu = byId('menu');
    menu.addEventListener('click', () => {
      const opens = menu.getAttribute('aria-expanded') !== 'true';
      set(menu, 'aria-expanded', String(opens));
      byId('sidebar').classList.toggle('open', opens);
      byId('curtain').hidden = !opens;
      byId('main').inert = opens;
      if (opens) byId('sidebar').querySelector('[aria-current], a')?.focus();
    });
    byId('curtain').addEventListener('click', () => {
      this.#close();
      menu.focus();
    });
    addEventListener('keydown', ({ key }) => {
      if (key !== 'Escape' || menu.getAttribute('aria-expanded') !== 'true') return;
      this.#close();
      menu.focus();
    });
    // A window that grows while the drawer is open has a column again.
    matchMedia('(min-width: 45rem)').addEventListener('change', () => this.#close());
  }

  #close() {
    set(byId('menu'), 'aria-expanded', 'false');
    byId('sidebar').classList.remove('open');
    byId('curtain').hidden = true;
    byId('main').inert = false;
  }
}

/** Whether the partner of a conversation is online, as far as this page knows. */
export function isHere(state, place) {
  return place.online !== false && state.users.has(place.name);
}

function showLink(item, { place, open, quiet, away }) {
  const link = item.firstChild;
  const [sign, name, number] = link.children;
  link.place = place;
  const count = unread(place);
  const mentioned = isMentioned(place);
  set(link, 'href', address.of(place));
  set(link, 'aria-current', open ? 'page' : null);
  set(link, 'class', [quiet && 'quiet', count > 0 && 'unread', mentioned && 'mentioned'].filter(Boolean).join(' ') || null);
  if (place.kind === 'person') showFace(sign, place.name, away);
  setText(name, place.name);
  const presence = place.kind === 'person' && (away ? 'offline' : 'online');
  set(link, 'aria-label', [place.name, count > 0 && `${count} unread`, mentioned && 'mentioned', presence].filter(Boolean).join(', '));
  set(number, 'hidden', count === 0);
  setText(number, `${mentioned ? '@ ' : ''}${count > 99 ? '99+' : count}`);
}

/** A person's letter, with a dot that tells whether they are here. */
function face(name) {
  const node = element('span', { 'aria-hidden': 'true' }, element('span', { class: 'dot' }));
  showFace(node, name, false);
  return node;
}

function showFace(node, name, away) {
  set(node, 'class', `avatar small ${hue(name)}`);
  set(node, 'data-letter', initial(name)); // by style.css: in the item's text it would be part of the name
  set(node.firstChild, 'class', away ? 'dot away' : 'dot');
}

/** Whether a channel's name has what is looked for. */
const matches = (name, wanted) => name.toLowerCase().includes(wanted.trim().replace(/^#/, '').toLowerCase());

function showPerson(item, { you }) {
  setText(item.querySelector('.you'), you ? ' (you)' : '');
}
