// The quick switcher: type a few letters, press Enter, and another channel or conversation opens.

import { HOME, channelRoom, news, people, personRoom } from '../store/state.js';
import { ranked } from '../texts/complete.js';
import { t } from '../texts/language.js';
import * as dialogs from './dialogs.js';
import { element, set, setText } from './dom.js';

const MAX_SHOWN = 12;

export class QuickSwitcher {
  #chat;
  #targets = [];
  #at = 0;
  #list = element('ul', {
    id: 'p:jump-list',
    class: 'options',
    role: 'listbox',
    'aria-label': t.page.sidebar,
  });
  #field = element('input', {
    type: 'text',
    role: 'combobox',
    'aria-label': t.switcher.field,
    placeholder: t.switcher.field,
    maxlength: '64',
    'aria-expanded': 'true',
    'aria-controls': 'p:jump-list',
    'aria-autocomplete': 'list',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
  });
  #none = element('p', { role: 'status' });
  #dialog = dialogs.make(t.switcher.title, this.#field, this.#list, this.#none);

  constructor(chat) {
    this.#chat = chat;
    this.#field.addEventListener('input', () => this.#find());
    this.#field.addEventListener('keydown', (event) => this.#onKey(event));
  }

  open() {
    this.#field.value = '';
    this.#find();
    dialogs.open(this.#dialog, this.#field);
  }

  #onKey(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = this.#targets.length;
    if (step || event.key === 'Enter') event.preventDefault();
    if (step && count > 0) this.#choose((this.#at + step + count) % count);
    else if (event.key === 'Enter') this.#go(this.#targets[this.#at]);
  }

  #find() {
    const typed = this.#field.value.trim();
    const sign = /^[#@]/.exec(typed)?.[0];
    const candidates = this.#candidates().filter((target) => !sign || target.sign === sign);
    this.#targets = ranked(candidates, typed.replace(/^[#@]/, ''), ({ name }) => name).slice(0,
      MAX_SHOWN);
    this.#list.replaceChildren(...this.#targets.map((target, index) =>
      element('li', {
        id: `p:jump-${index}`,
        role: 'option',
        onclick: () => this.#go(target),
      }, element('span', { 'aria-hidden': 'true' }, target.sign), element('bdi', {}, target.name),
        target.news > 0
          ? element('span', { class: 'hint' }, ` ${t.sidebar.unread(target.news)}`)
          : null)
    ));
    setText(this.#none, this.#targets.length > 0 ? '' : t.switcher.none);
    this.#choose(0);
  }

  /** Everything that can be opened: channels, conversations, people; what is unread comes first. */
  #candidates() {
    const { state } = this.#chat;
    const conversations = people(state);
    const partners = new Set(conversations.map(({ name }) => name));
    const target = (sign, name, known, room) => ({
      sign,
      name,
      news: known ? news(state, known) : 0,
      room,
    });
    const channels = [...new Set([HOME, ...state.wanted, ...state.channels.keys()])]
      .map((name) =>
        target('#', name, state.rooms.get(`#${name}`), () => channelRoom(state, name))
      );
    const others = [...state.users].filter((name) => name !== state.me?.name && !partners.has(name))
      .map((name) => target('@', name, null, () => personRoom(state, name)));
    return [
      ...channels,
      ...conversations.map((room) => target('@', room.name, room, () => room)),
      ...others,
    ]
      .sort((a, b) => (b.news > 0) - (a.news > 0));
  }

  #choose(index) {
    this.#at = index;
    for (const [at, option] of [...this.#list.children].entries())
      set(option, 'aria-selected', String(at === index));
    set(this.#field, 'aria-activedescendant', this.#targets.length > 0 ? `p:jump-${index}` : null);
    this.#list.children[index]?.scrollIntoView({ block: 'nearest' });
  }

  #go(target) {
    if (!target) return;
    this.#dialog.close();
    this.#chat.open(target.room(), { focus: true });
  }
}
