// Where one writes: Enter sends, Shift+Enter begins a new line, and what is not yet sent stays with its place.
//
// Not here: what a line means (lines.js), sending (chat.js).

import { byId, set, setText } from './nodes.js';

export class Composer {
  #chat;
  #text = byId('text');
  #notice = byId('notice');
  #drafts = new Map();
  #key = null;

  constructor(chat) {
    this.#chat = chat;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('keydown', (event) => {
      // While an input method composes a word, Enter belongs to it (229: so in Safari).
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('input', () => {
      this.#grow();
      chat.hush();
      if (this.#text.value.trim() !== '' && !this.#text.value.startsWith('/')) chat.typing();
    });
  }

  /** `notice` is `{ text, bad }` or null. */
  show(place, notice) {
    if (place && place.key !== this.#key) {
      this.#drafts.set(this.#key, this.#text.value);
      this.#key = place.key;
      this.#text.value = this.#drafts.get(place.key) ?? '';
      this.#grow();
    }
    set(this.#text, 'placeholder', place ? `Message ${place.kind === 'channel' ? '#' : ''}${place.name}` : '');
    setText(this.#notice, notice?.text ?? '');
    set(this.#notice, 'class', notice?.bad ? 'notice bad' : 'notice');
  }

  /** Takes the keyboard, but not where that would push one up over half of a small screen. */
  focus() {
    if (!matchMedia('(pointer: coarse)').matches) this.#text.focus();
  }

  #send() {
    // Only what was taken goes away: what was refused can be mended.
    if (this.#text.value.trim() !== '' && this.#chat.say(this.#text.value)) this.#text.value = '';
    this.#grow();
    this.#text.focus();
  }

  #grow() {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }
}
