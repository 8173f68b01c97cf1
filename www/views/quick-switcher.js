// Jump to: a few letters, Enter, and one is in another channel or conversation.
//
// Not here: which places fit best (complete.js), opening them (chat.js).

import { ranked } from '../texts/complete.js';
import * as dialogs from './dialogs.js';
import { element, set, setText } from './dom.js';
import { unread } from '../store/room.js';
import { HOME, channelPlace, people, personPlace } from '../store/state.js';

const MOST = 12;

export class Jump {
  #chat; #targets = []; #at = 0;
  #list = element('ul', { id: 'p:jump-list', class: 'options', role: 'listbox', 'aria-label': 'Channels and people' });
  #field = element('input', {
    type: 'text', role: 'combobox', 'aria-label': 'Channel or person', placeholder: 'Channel or person', 'aria-expanded': 'true', 'aria-controls': 'p:jump-list',
    'aria-autocomplete': 'list', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: '64',
  });
  #none = element('p', { role: 'status' });
  #dialog = dialogs.make('Jump to', this.#field, this.#list, this.#none);

  constructor(chat) {
    this.#chat = chat;
    this.#field.addEventListener('input', () => this.#find());
    this.#field.addEventListener('keydown', (event) => this.#key(event));
  }

  open() {
    this.#field.value = '';
    this.#find();
    dialogs.open(this.#dialog, this.#field);
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const count = this.#targets.length;
      if (count > 0) this.#choose((this.#at + step + count) % count);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.#go(this.#targets[this.#at]);
    }
  }

  #find() {
    const typed = this.#field.value.trim();
    const sign = /^[#@]/.exec(typed)?.[0];
    const all = this.#all().filter((target) => !sign || target.sign === sign);
    this.#targets = ranked(all, typed.replace(/^[#@]/, ''), ({ name }) => name).slice(0, MOST);
    this.#list.replaceChildren(...this.#targets.map((target, index) => element('li', {
      id: `p:jump-${index}`, role: 'option', onclick: () => this.#go(target),
    }, element('span', { 'aria-hidden': 'true' }, target.sign), element('bdi', {}, target.name),
    target.news > 0 ? element('span', { class: 'hint' }, ` ${target.news} unread`) : null)));
    setText(this.#none, this.#targets.length > 0 ? '' : 'Nothing of that name is here. /join makes a channel.');
    this.#choose(0);
  }

  /** Where one can go. What is unread comes first, then conversations, channels, and people. */
  #all() {
    const { state } = this.#chat;
    const news = (place) => (place ? unread(place) : 0);
    const conversations = people(state).map((place) => ({ sign: '@', name: place.name, news: news(place), place: () => place }));
    const talkedTo = new Set(people(state).map(({ name }) => name));
    const channels = [...new Set([HOME, ...state.wanted, ...state.channels.keys()])]
      .map((name) => ({ sign: '#', name, news: news(state.places.get(`#${name}`)), place: () => channelPlace(state, name) }));
    const others = [...state.users].filter((name) => name !== state.me?.name && !talkedTo.has(name))
      .map((name) => ({ sign: '@', name, news: 0, place: () => personPlace(state, name) }));
    return [...channels, ...conversations, ...others].sort((one, other) => (other.news > 0) - (one.news > 0));
  }

  #choose(index) {
    this.#at = index;
    for (const [at, option] of [...this.#list.children].entries()) set(option, 'aria-selected', String(at === index));
    set(this.#field, 'aria-activedescendant', this.#targets.length > 0 ? `p:jump-${index}` : null);
    this.#list.children[index]?.scrollIntoView({ block: 'nearest' });
  }

  #go(target) {
    if (!target) return;
    this.#dialog.close();
    this.#chat.open(target.place(), { focus: true });
  }
}
