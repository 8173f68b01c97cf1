// The header of the open room: its name, its members, and users who are typing; and the window's title.

import { unread } from '../store/room.js';
import { HOME, isOnline, openRoom } from '../store/state.js';
import { t } from '../texts/en.js';
import { byId, element, set, setText } from './dom.js';

export class RoomHeader {
  #chat; #changed; #timer = 0; #typing = ''; #key = null;

  constructor(chat, changed) {
    this.#chat = chat;
    this.#changed = changed;
    byId('leave-channel').addEventListener('click', () => {
      const room = openRoom(chat.state);
      if (room?.kind === 'channel') chat.leaveChannel(room.name);
    });
  }

  show(room) {
    const { state } = this.#chat;
    const isChannel = room?.kind === 'channel';
    const title = room ? `${isChannel ? '#' : ''}${room.name}` : '';
    setText(byId('title').firstChild, title);
    setText(byId('about'), this.#about(room));
    byId('leave-channel').hidden = !isChannel || room.name === HOME || !room.joined;
    const news = [...state.rooms.values()].reduce((sum, one) => sum + unread(one), 0);
    document.title = `${news > 0 ? `(${news}) ` : ''}${title || 'parlor'}`;
    set(byId('icon'), 'href', news > 0 ? 'icon-unread.svg' : 'icon.svg');
    if (room && room.key !== this.#key) setText(byId('announce'), t.room.announce(title, isChannel));
    this.#key = room?.key ?? this.#key;
    this.#showTyping(room);
  }

  /** Shows the members; empty without a connection, when they are not known. */
  #about(room) {
    const { state, downSince } = this.#chat;
    if (!room || downSince !== null) return '';
    if (room.kind === 'person') return isOnline(state, room) ? t.room.online : t.room.offline;
    const count = state.channels.get(room.name);
    return count ? t.room.people(count) : '';
  }

  #showTyping(room) {
    clearTimeout(this.#timer);
    const now = Date.now();
    const me = this.#chat.state.me?.name;
    const typing = [...room?.typing ?? []].filter(([name, until]) => until > now && name !== me);
    if (typing.length > 0) this.#timer = setTimeout(this.#changed, Math.min(...typing.map(([, until]) => until)) - now + 20);
    const names = typing.slice(0, 3).map(([name]) => name);
    if (names.join() === this.#typing) return;
    this.#typing = names.join();
    const parts = names.length === 0 ? [] : t.room.typing(names.map((name) => element('bdi', {}, name)), names.length);
    byId('typing').replaceChildren(...parts);
  }
}
