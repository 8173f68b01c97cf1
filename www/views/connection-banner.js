// The line that tells of a lost connection: in the flow, and only where it lasts; most losses are over before one has read of them.
//
// Not here: the connection itself (connection.js).

import { byId, setText } from './dom.js';

const AFTER_MS = 2000;
const LOOK_MS = 250;

export class Banner {
  #chat; #timer = 0;
  #line = byId('connection');
  #what; #when;
  #button = byId('try');

  constructor(chat) {
    this.#chat = chat;
    // What changes every second is not read out every second.
    this.#what = document.createElement('span');
    this.#when = document.createElement('span');
    this.#when.setAttribute('aria-live', 'off');
    this.#button.addEventListener('click', () => chat.tryNow());
  }

  show() {
    const since = this.#chat.downSince;
    const now = performance.now();
    clearTimeout(this.#timer);
    if (since !== null) this.#timer = setTimeout(() => this.show(), LOOK_MS);
    const shown = since !== null && now - since >= AFTER_MS;
    this.#button.hidden = !shown;
    if (!shown) {
      if (this.#line.hasChildNodes()) this.#line.replaceChildren();
      return;
    }
    const left = Math.ceil(this.#chat.pauseLeft() / 1000);
    setText(this.#what, `${this.#chat.problem || 'The server does not answer yet.'} `);
    setText(this.#when, left > 0 ? `Reconnecting in ${left} s` : 'Reconnecting…');
    if (!this.#line.hasChildNodes()) this.#line.append(this.#what, this.#when);
  }
}
