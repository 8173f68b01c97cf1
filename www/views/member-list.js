// Who is in the open channel: a column of its own where there is room, behind a button where there is none.
//
// Not here: who is online at all (sidebar.js).

import { hue, initial } from './avatar.js';
import { Keyed, byId, element, set, setText } from './dom.js';
import { byName } from '../texts/collation.js';
import { personPlace } from '../store/state.js';

export class Members {
  #chat;
  #panel = byId('members-panel');
  #button = byId('members-button');
  #wide = matchMedia('(min-width: 72rem)');
  #list = new Keyed(byId('members'), (row) => this.#item(row), () => {});
  #open = false;

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener('click', () => this.#turn(!this.#open));
    byId('members-close').addEventListener('click', () => this.#turn(false));
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#open) return;
      event.stopPropagation();
      this.#turn(false);
    });
    // Where it lies over the feed, a touch beside it puts it away.
    addEventListener('pointerdown', ({ target }) => {
      if (this.#open && !this.#wide.matches && !this.#panel.contains(target) && !this.#button.contains(target)) this.#turn(false);
    });
    this.#wide.addEventListener('change', () => this.show(this.#last));
  }

  #last = null;

  show(place) {
    this.#last = place;
    const there = place?.kind === 'channel' && place.joined;
    const shown = there && (this.#wide.matches || this.#open);
    this.#panel.hidden = !shown;
    this.#button.hidden = !there || this.#wide.matches;
    set(this.#button, 'aria-expanded', String(shown));
    if (!there) return;
    setText(byId('members-count'), String(place.count));
    if (!shown) return;
    const names = [...place.members].sort(byName);
    this.#list.show(names.map((name) => ({ key: name, name })));
    const more = place.count - names.length;
    setText(byId('members-more'), more > 0 ? `and ${more} others` : '');
  }

  #turn(open) {
    this.#open = open;
    this.show(this.#last);
    (open ? byId('members-close') : this.#button).focus();
  }

  #item({ name }) {
    const me = name === this.#chat.state.me?.name;
    return element('li', {}, element('button', { type: 'button', onclick: () => this.#write(name) },
      element('span', { class: `avatar small ${hue(name)}`, 'aria-hidden': 'true' }, initial(name)),
      element('span', { class: 'name' }, element('bdi', {}, name), me ? element('span', { class: 'you' }, ' (you)') : null)));
  }

  #write(name) {
    this.#open = false;
    this.#chat.open(personPlace(this.#chat.state, name), { focus: true });
  }
}
