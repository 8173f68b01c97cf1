// The members of the open channel: a column where there is room, else a panel that a button opens.

import { personRoom } from '../store/state.js';
import { number, t } from '../texts/language.js';
import { byName } from '../texts/names.js';
import { personMenu } from './actions.js';
import { avatar } from './avatar.js';
import { Keyed, button, byId, element, set, setText } from './dom.js';

export class MemberList {
  #chat;
  #panel = byId('members-panel');
  #button = byId('members-button');
  #wide = matchMedia('(min-width: 72rem)');
  #list = new Keyed(byId('members'), ({ name, you }) => element('li', {}, personButton(this.#chat, name, you, () => this.#write(name))), () => {});
  #open = false;
  #room = null;

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener('click', () => this.#setOpen(!this.#open));
    byId('members-close').addEventListener('click', () => this.#setOpen(false));
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#open) return;
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
    const isChannel = room?.kind === 'channel' && room.joined;
    const shown = isChannel && (this.#wide.matches || this.#open);
    this.#panel.hidden = !shown;
    this.#button.hidden = !isChannel || this.#wide.matches;
    set(this.#button, 'aria-expanded', String(shown));
    if (!isChannel) return;
    setText(byId('members-count'), number(room.count));
    if (!shown) return;
    const me = this.#chat.state.me?.name;
    const names = [...room.members].sort(byName);
    this.#list.show(names.map((name) => ({ key: `${name} ${name === me}`, name, you: name === me })));
    const more = room.count - names.length;
    setText(byId('members-more'), more > 0 ? t.sidebar.others(more) : '');
  }

  #setOpen(open) {
    this.#open = open;
    this.show(this.#room);
    (open ? byId('members-close') : this.#button).focus();
  }

  #write(name) {
    this.#open = false;
    this.#chat.open(personRoom(this.#chat.state, name), { focus: true });
  }
}

/** A person in a list; a click writes to them, or opens an owner's menu. */
export function personButton(chat, name, you, write, face = avatar(name, 'small')) {
  const onclick = ({ currentTarget }) => (chat.owns && !you ? personMenu(chat, name, write, currentTarget.getBoundingClientRect()) : write());
  const label = element('span', { class: you ? 'person me-too' : 'person' }, element('bdi', { class: 'name' }, name),
    you ? element('span', { class: 'you' }, ` ${t.sidebar.you}`) : null);
  return button({ onclick }, face, label);
}
