// The head of the open place: its name, who is there, who is writing; and the window's title.
//
// Not here: the column (sidebar.js), the messages (feed.js).

import { byId, element, set, setText } from './dom.js';
import { unread } from '../store/room.js';
import { isHere } from './sidebar.js';
import { HOME, openPlace } from '../store/state.js';

export class Head {
  #chat; #changed; #timer = 0; #typing = ''; #key = null;

  constructor(chat, changed) {
    this.#chat = chat;
    this.#changed = changed;
    byId('leave-channel').addEventListener('click', () => {
      const place = openPlace(chat.state);
      if (place?.kind === 'channel') chat.leaveChannel(place.name);
    });
  }

  show(place) {
    const { state } = this.#chat;
    const title = place ? `${place.kind === 'channel' ? '#' : ''}${place.name}` : '';
    setText(byId('title'), title);
    const count = state.channels.get(place?.name);
    const about = !place ? ''
      : place.kind === 'person' ? (isHere(state, place) ? 'online' : 'offline')
        : count ? `${count} ${count === 1 ? 'person' : 'people'}` : '';
    setText(byId('about'), about);
    byId('leave-channel').hidden = place?.kind !== 'channel' || place.name === HOME || !place.joined;
    const news = [...state.places.values()].reduce((sum, one) => sum + unread(one), 0);
    document.title = `${news > 0 ? `(${news}) ` : ''}${title || 'parlor'}`;
    set(byId('icon'), 'href', news > 0 ? 'icon-unread.svg' : 'icon.svg');
    this.#announce(place, title);
    this.#showTyping(place);
  }

  /** Who listens hears where they are now. */
  #announce(place, title) {
    if (!place || place.key === this.#key) return;
    this.#key = place.key;
    setText(byId('announce'), place.kind === 'person' ? `Private messages with ${title}` : `Channel ${title}`);
  }

  #showTyping(place) {
    clearTimeout(this.#timer);
    const now = Date.now();
    const live = place ? [...place.typing].filter(([name, until]) => until > now && name !== this.#chat.state.me?.name) : [];
    if (live.length > 0) this.#timer = setTimeout(this.#changed, Math.min(...live.map(([, until]) => until)) - now + 20);
    const names = live.slice(0, 3).map(([name]) => name);
    if (names.join() === this.#typing) return;
    this.#typing = names.join();
    byId('typing').replaceChildren(...sentence(names));
  }
}

function sentence(names) {
  const [one, two] = names.map((name) => element('bdi', {}, name));
  if (names.length === 0) return [];
  if (names.length === 1) return [element('span', {}, one, ' is typing'), '…'];
  if (names.length === 2) return [one, ' and ', two, ' are typing…'];
  return ['Several people are typing…'];
}
