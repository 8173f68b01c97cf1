// The people who are online: those in the open channel first. A column where there is room, else a
// panel; a button opens and closes either.

import { personRoom } from '../store/state.js';
import * as storage from '../store/storage.js';
import { countOf, t } from '../texts/language.js';
import { byName } from '../texts/names.js';
import { personMenu } from './actions.js';
import { avatar } from './avatar.js';
import { Keyed, button, byId, element, set, setText } from './dom.js';

/** With more people there is a field to find one. */
const MANY = 12;

export class PeopleList {
  #chat;
  #room = null;
  #panel = byId('people-panel');
  #button = byId('people-button');
  #filter = byId('find-person');
  #wide = matchMedia('(min-width: 64rem)');
  #members = new Keyed(byId('members'), (row) => this.#make(row), () => {});
  #others = new Keyed(byId('others'), (row) => this.#make(row), () => {});
  #open = false; // over the feed; the column is open unless it was closed

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener('click', () => this.#setOpen(this.#panel.hidden));
    byId('people-close').addEventListener('click', () => this.#setOpen(false));
    this.#filter.addEventListener('input', () => this.show(this.#room));
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.#wide.matches) return;
      event.stopPropagation();
      this.#setOpen(false);
    });
    addEventListener('pointerdown', ({ target }) => {
      const isInside = this.#panel.contains(target) || this.#button.contains(target);
      if (this.#open && !this.#wide.matches && !isInside) this.#setOpen(false);
    });
    this.#wide.addEventListener('change', () => this.show(this.#room));
  }

  show(room) {
    this.#room = room;
    const shown = this.#wide.matches ? storage.people.get() !== 'closed' : this.#open;
    this.#panel.hidden = !shown;
    set(this.#button, 'aria-expanded', String(shown));
    const { state } = this.#chat;
    setText(byId('online'), countOf(state.online));
    if (!shown) return;
    const me = state.me?.name;
    this.#filter.hidden = state.online <= MANY && this.#filter.value === '';
    const wanted = this.#filter.value.trim().replace(/^@/, '').toLowerCase();
    const rows = (names) =>
      [...names].filter((name) => name.toLowerCase().includes(wanted))
        .sort((a, b) => (b === me) - (a === me) || byName(a, b)).map((name) => ({
          key: `${name} ${name === me}`,
          name,
          you: name === me,
        }));
    const isChannel = room?.kind === 'channel' && room.joined;
    const members = isChannel ? rows(room.members) : [];
    const others = rows(
      isChannel ? [...state.users].filter((name) => !room.members.has(name)) : state.users,
    );
    this.#members.show(members);
    this.#others.show(others);
    const more = isChannel && wanted === '' ? room.count - members.length : 0;
    setText(byId('members-more'), more > 0 ? t.sidebar.others(more) : '');
    // A list alone needs no heading: everyone who is online is in the channel, or this is no
    // channel.
    byId('members-title').hidden = byId('others-title').hidden = members.length === 0
      || others.length === 0;
    setText(byId('members-count'), countOf(wanted === '' && room?.count || members.length));
    setText(byId('others-name'), t.sidebar.elsewhere);
    setText(byId('others-count'), countOf(others.length));
    setText(byId('no-person'),
      members.length + others.length === 0 && wanted !== '' ? t.sidebar.noMatch : '');
  }

  #setOpen(open) {
    this.#open = open;
    if (this.#wide.matches) storage.people.set(open ? null : 'closed');
    this.show(this.#room);
    (open ? byId('people-close') : this.#button).focus();
  }

  #make({ name, you }) {
    const write = () => {
      this.#open = false;
      this.#chat.open(personRoom(this.#chat.state, name), { focus: true });
    };
    const act = (
      { currentTarget },
    ) => (this.#chat.owns && !you
      ? personMenu(this.#chat, name, write, currentTarget.getBoundingClientRect())
      : write());
    return element('li', {},
      button({ onclick: act }, avatar(name, 'small'),
        element('span', { class: you ? 'person me-too' : 'person' },
          element('bdi', { class: 'name' }, name),
          you ? element('span', { class: 'you' }, ` ${t.sidebar.you}`) : null)));
  }
}
