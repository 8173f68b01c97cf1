// The open room's name and menu, users who are typing, whether any message is missing, and the
// window's title.

import { HOME, isOnline, news, openRoom } from '../store/state.js';
import { number, t } from '../texts/language.js';
import * as dialogs from './dialogs.js';
import { byId, element, fileUrl, set, setText } from './dom.js';
import { LINE, openMenu } from './menu.js';
import { timeOf } from './time.js';

/**
 * Whether any message of a room is missing on this page: `{ sentence, loading }`; null if nothing
 * is known yet.
 */
export function syncStatus(room) {
  if (!room?.loaded || room.known === 0) return null;
  const { messages, known, newest, older, first } = room;
  const loading = Math.max(0, known - newest);
  const earlier = older && messages.length > 0 ? Math.max(0, messages[0].seq - first) : 0;
  // messages are numbered without gaps
  const notStored = known - messages.length - loading - earlier;
  const rest = loading > 0
    ? t.room.loading(loading)
    : notStored > 0
    ? t.room.notStored(notStored)
    : t.room.complete;
  return {
    sentence: t.room.status(t.room.synced(messages.length, known), rest),
    loading: loading > 0,
  };
}

export class RoomHeader {
  #chat;
  #changed;
  #timer = 0;
  #typing = '';
  #key = null;
  #connectedAt = 0;

  /** `later(name)` is a function of app/later.js. */
  constructor(chat, changed, later) {
    this.#chat = chat;
    this.#changed = changed;
    const more = byId('more');
    more.addEventListener('click', () => {
      const room = openRoom(chat.state);
      const status = syncStatus(room);
      openMenu(t.page.more, [
        status && { text: status.sentence },
        status && LINE,
        { text: t.menu.invite, act: later('invite') },
        { text: t.menu.date, act: () => this.#askDate(room) },
        room.kind === 'channel'
        && {
          text: t.menu.muteChannel,
          checked: chat.state.muted.has(room.key),
          act: () => chat.mute(room, !chat.state.muted.has(room.key)),
        },
        {
          text: t.menu.hideJoins,
          checked: chat.hidesJoins,
          act: () => chat.hideJoins(!chat.hidesJoins),
        },
        { text: t.menu.transcript, act: () => later('saveTranscript')(chat, room) },
        LINE,
        { text: t.page.wire, act: () => later('togglePanel')(chat, more) },
        { text: t.check.title, act: later('check') },
        this.#canLeave(room) && LINE,
        this.#canLeave(room)
        && { text: t.page.leaveChannel, danger: true, act: () => chat.leaveChannel(room.name) },
      ], more.getBoundingClientRect());
    });
  }

  #canLeave = (room) => room.kind === 'channel' && room.name !== HOME && room.joined;

  #askDate(room) {
    dialogs.prompt(t.menu.dateTitle, t.menu.day, '', t.menu.go, (day) => {
      const from = new Date(`${day}T00:00`).getTime();
      return Number.isNaN(from) ? undefined : this.#chat.past.toDate(room, from);
    }, { type: 'date' });
  }

  show(room) {
    const { state } = this.#chat;
    const isChannel = room?.kind === 'channel';
    const title = room ? `${isChannel ? '#' : ''}${room.name}` : '';
    setText(byId('title').firstChild, title);
    setText(byId('about'), this.#about(room));
    byId('more').hidden = !room;
    const all = [...state.rooms.values()].reduce((sum, one) => sum + news(state, one), 0);
    document.title = `${all > 0 ? `(${number(all)}) ` : ''}${title || 'parlor'}`;
    set(byId('icon'), 'href', fileUrl(all > 0 ? 'icon-unread.svg' : 'icon.svg'));
    if (room && room.key !== this.#key)
      setText(byId('announce'), t.room.announce(title, isChannel));
    this.#key = room?.key ?? this.#key;
    this.#showTyping(room);
    const isOffline = this.#chat.downSince !== null;
    if (!isOffline) this.#connectedAt = Date.now();
    const status = syncStatus(room);
    const asOf = this.#connectedAt > 0 && status
      ? t.room.asOf(status.sentence, timeOf(this.#connectedAt))
      : '';
    setText(byId('sync-status'), isOffline ? asOf : status?.loading ? status.sentence : '');
  }

  /** Shows the number of members; empty without a connection, when it is not known. */
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
    if (typing.length > 0)
      this.#timer = setTimeout(this.#changed,
        Math.min(...typing.map(([, until]) => until)) - now + 20);
    const names = typing.slice(0, 3).map(([name]) => name);
    if (names.join() === this.#typing) return;
    this.#typing = names.join();
    const parts = names.length === 0
      ? []
      : t.room.typing(names.map((name) => element('bdi', {}, name)));
    byId('typing').replaceChildren(...parts);
  }
}
