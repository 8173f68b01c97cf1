// The line about a lost connection, or an updated server. A loss appears only after a moment: most
// end before a user has read about them.

import { t } from '../texts/language.js';
import { byId, element, setText } from './dom.js';

const AFTER_MS = 2000;
const UPDATE_MS = 250;

export class ConnectionBanner {
  #chat;
  #timer = 0;
  #line = byId('connection');
  #button = byId('try');
  #check = byId('check');
  #what = element('span');
  #when = element('span', { 'aria-live': 'off' }); // a countdown isn't read out

  /** `check()` opens the connection check. */
  constructor(chat, check) {
    this.#chat = chat;
    this.#check.addEventListener('click', check);
    this.#button.addEventListener('click',
      () => (chat.downSince === null ? location.reload() : chat.nudge()));
  }

  show() {
    const since = this.#chat.downSince;
    clearTimeout(this.#timer);
    if (since !== null) this.#timer = setTimeout(() => this.show(), UPDATE_MS);
    const isDown = since !== null && performance.now() - since >= AFTER_MS;
    const isUpdated = since === null && this.#chat.isUpdated;
    this.#button.hidden = !isDown && !isUpdated;
    this.#check.hidden = !isDown;
    setText(this.#button, isUpdated ? t.connection.reload : t.page.tryNow);
    if (!isDown) {
      setText(this.#line, isUpdated ? t.connection.updated : '');
      return;
    }
    const seconds = Math.ceil(this.#chat.pauseLeft() / 1000);
    setText(this.#what, `${this.#chat.problem || t.connection.connecting} `);
    setText(this.#when,
      seconds > 0 ? t.connection.reconnectingIn(seconds) : t.connection.reconnecting);
    if (!this.#what.isConnected) this.#line.replaceChildren(this.#what, this.#when);
  }
}
