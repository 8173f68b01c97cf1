// The list of all channels: find one and join it, or create it.

import { HOME, channelRoom } from '../store/state.js';
import { t } from '../texts/language.js';
import { byName } from '../texts/names.js';
import * as dialogs from './dialogs.js';
import { Keyed, button, element, set, setText } from './dom.js';

export class ChannelBrowser {
  #chat;
  #news = new Set();
  #field = element('input', {
    id: 'p:find-channel',
    type: 'text',
    'aria-label': t.channels.find,
    placeholder: t.channels.find,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    maxlength: '128',
  });
  #error = element('p', { class: 'error', role: 'alert' });
  #create = button({ class: 'create', onclick: () => this.#enter(this.#typed) },
    t.channels.create(''));
  #items = element('ul', { role: 'list', 'aria-label': t.page.channels });
  #list = new Keyed(this.#items, (row) => this.#make(row), show);
  #dialog = dialogs.make(t.page.browse, this.#field, this.#error, this.#create,
    element('div', { class: 'scroll' }, this.#items));
  #lost = false; // whether the error is that there was no connection

  constructor(chat) {
    this.#chat = chat;
    set(this.#dialog, 'class', 'channels');
    this.#field.addEventListener('input', () => {
      this.#say('');
      this.show();
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      const first = this.#items.querySelector('button');
      if (first) first.click();
      else if (this.#typed !== '') this.#enter(this.#typed);
    });
    this.#dialog.addEventListener('close', () => chat.sawChannels());
  }

  open() {
    this.#field.value = '';
    this.#news = new Set(this.#chat.state.newChannels);
    this.#say('');
    this.#fill();
    this.#chat.countMembers();
    dialogs.open(this.#dialog, this.#field);
  }

  show() {
    if (!this.#dialog.open) return;
    if (this.#chat.downSince === null && this.#lost) this.#say('');
    this.#fill();
  }

  get #typed() {
    return this.#field.value.trim().replace(/^#/, '');
  }

  #fill() {
    const { state } = this.#chat;
    const names = new Set([HOME, ...state.channels.keys()]);
    const wanted = this.#typed.toLowerCase();
    const shown = [...names].filter((name) => name.toLowerCase().includes(wanted))
      .sort((a, b) =>
        (b.toLowerCase() === wanted) - (a.toLowerCase() === wanted)
        || this.#news.has(b) - this.#news.has(a) || byName(a, b)
      );
    this.#list.show(shown.map((name) => ({
      key: name,
      name,
      members: state.channels.get(name) ?? 0,
      joined: state.rooms.get(`#${name}`)?.joined ?? false,
      isNew: this.#news.has(name) || state.newChannels.has(name),
    })));
    this.#create.hidden = wanted === '' || [...names].some((name) => name.toLowerCase() === wanted);
    setText(this.#create, t.channels.create(this.#typed));
  }

  #make({ name }) {
    return element('li', {},
      button({ onclick: () => this.#enter(name) },
        element('span', { class: 'sign', 'aria-hidden': 'true' }, '#'),
        element('bdi', { class: 'name' }, name), element('span', { class: 'tag' }),
        element('span', { class: 'hint' }), element('span', { class: 'go' })));
  }

  async #enter(name) {
    const { state } = this.#chat;
    try {
      if (state.rooms.get(`#${name}`)?.joined)
        this.#chat.open(channelRoom(state, name), { focus: true });
      else await this.#chat.enterChannel(name);
      this.#dialog.close();
    } catch (error) {
      this.#say(error.message, error.code === 'lost');
      this.#field.focus();
    }
  }

  #say(text, lost = false) {
    setText(this.#error, text);
    this.#lost = lost;
  }
}

function show(item, { members, joined, isNew }) {
  const [, , tag, hint, go] = item.firstChild.children;
  setText(tag, isNew ? t.channels.new : '');
  tag.hidden = !isNew;
  setText(hint, members > 0 ? t.room.people(members) : '');
  setText(go, joined ? t.channels.joined : t.channels.join);
  set(item, 'class', joined ? 'joined' : null);
}
