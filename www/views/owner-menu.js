// The owner's menu, and the lines above the feed: the rules in force (a closed door, who may write)
// and the pinned message.

import { find } from '../store/room.js';
import { HOME } from '../store/state.js';
import { t } from '../texts/language.js';
import { plain } from '../texts/markup.js';
import * as dialogs from './dialogs.js';
import { Keyed, button, byId, element, icon, setText } from './dom.js';
import { LINE, openMenu } from './menu.js';
import { whenOf } from './time.js';

/** The choices of who may write; a number is seconds between two messages of one person. */
const WHO = ['all', 'owner', 5, 30, 300];

export class OwnerMenu {
  #chat;
  #room = null;
  #button = byId('owner');
  #list = element('ul', { role: 'list', class: 'restricted' });
  #restricted = new Keyed(this.#list, (row) => this.#makeRestricted(row), () => {});
  #dialog = dialogs.make(t.owner.restrictedTitle, element('div', { class: 'scroll' }, this.#list));
  #pinned = {}; // { room, seq, message }: the pinned message if the page doesn't hold it

  constructor(chat) {
    this.#chat = chat;
    this.#button.addEventListener('click',
      () => openMenu(t.page.youOwn, this.#items(), this.#rect));
  }

  show(room) {
    const { state, owns } = this.#chat;
    this.#room = room;
    const isChannel = room?.kind === 'channel';
    this.#button.hidden = !owns;
    if (this.#dialog.open) this.#fillRestricted();
    const writing = isChannel ? room.writing : 'all';
    const rules = [
      state.door ? '' : t.owner.doorClosed,
      writing === 'owner' ? t.owner.readOnly : writing === 'all' ? '' : t.owner.slowMode(writing),
    ];
    setText(byId('rules'), rules.filter(Boolean).join(' '));
    byId('rules').hidden = rules.join('') === '';
    this.#showPinned(isChannel ? room : null);
  }

  /** A message was changed or deleted: if it is the pinned one, it is asked for again. */
  outdated({ of }) {
    if (this.#pinned.seq === of) this.#pinned = {};
  }

  get #rect() {
    return this.#button.getBoundingClientRect();
  }

  #items() {
    const { name, kind } = this.#room;
    const { state } = this.#chat;
    const { muted, kicked } = state.owner;
    const isChannel = kind === 'channel';
    return [
      {
        text: state.door ? t.owner.closeDoor : t.owner.openDoor,
        act: () => this.#chat.send({ type: 'door', open: !state.door }),
      },
      isChannel && { text: t.owner.writing, act: () => this.#askWho() },
      { text: t.owner.restricted(muted.size + kicked.size), act: () => this.#showRestricted() },
      isChannel && LINE,
      isChannel && { text: t.owner.clearMenu, danger: true, act: () => this.#chat.clear(name) },
      isChannel && name !== HOME
      && { text: t.owner.removeMenu, danger: true, act: () => this.#chat.removeChannel(name) },
      LINE,
      { text: t.owner.giveUp, act: () => this.#chat.disown() },
    ];
  }

  /** Who may write in the open channel. */
  #askWho() {
    const { name, writing } = this.#room;
    const choices = WHO.includes(writing) ? WHO : [...WHO, writing];
    openMenu(t.owner.writingIn(name), choices.map((who) => ({
      text: t.owner.who[who] ?? t.owner.everySeconds(who),
      radio: true,
      checked: who === writing,
      act: () => this.#chat.send({ type: 'writing', channel: name, who }),
    })), this.#rect);
  }

  /** The list of muted and removed people, each with an undo. */
  #showRestricted() {
    this.#fillRestricted();
    dialogs.open(this.#dialog, this.#dialog.querySelector('button'));
  }

  #fillRestricted() {
    const { muted = new Map(), kicked = new Map() } = this.#chat.state.owner ?? {};
    const rows = (type, list) =>
      [...list].map(([user, until]) => ({ key: `${type} ${user} ${until}`, type, user, until }));
    const all = [...rows('mute', muted), ...rows('kick', kicked)];
    this.#restricted.show(all.length > 0 ? all : [{ key: 'none' }]);
  }

  #makeRestricted({ type, user, until }) {
    if (!type) return element('li', {}, t.owner.noRestricted);
    return element('li', {}, element('bdi', {}, user),
      ` ${(type === 'mute' ? t.owner.muted : t.owner.kicked)(whenOf(until))} `, button({
        'aria-label': `${t.owner.undo}: ${user}`,
        onclick: () => this.#chat.send({ type, user, minutes: 0 }),
      }, t.owner.undo));
  }

  /** Shows the pinned message of a channel, which the page may not hold. */
  #showPinned(room) {
    const bar = byId('pinned');
    const seq = room?.pin ?? null;
    const held = seq === null ? null : find(room, seq) ?? this.#load(room, seq);
    bar.hidden = !held?.text;
    if (bar.hidden) return;
    const stamp = `${room.key} ${seq} ${held.text} ${this.#chat.owns}`;
    if (bar.dataset.stamp === stamp) return;
    bar.dataset.stamp = stamp;
    const go = button({ class: 'pin', onclick: () => this.#chat.past.jump(room, seq, true) },
      element('bdi', { class: 'name' }, held.from), ': ', element('bdi', {}, plain(held.text)));
    const off = this.#chat.owns
      ? button({
        'aria-label': t.menu.unpin,
        title: t.menu.unpin,
        onclick: () => this.#chat.send({ type: 'pin', channel: room.name, seq: null }),
      }, icon('close'))
      : null;
    bar.replaceChildren(...[icon('pin'), go, off].filter(Boolean));
  }

  /** The pinned message that the page doesn't hold; null until the server has sent it. */
  #load(room, seq) {
    if (this.#pinned.room !== room || this.#pinned.seq !== seq) {
      const pinned = this.#pinned = { room, seq, message: null };
      this.#chat.past.message(room, seq).then((message) => {
        pinned.message = message;
      });
    }
    return this.#pinned.message;
  }
}
