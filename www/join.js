// The form at the door: a name, and a sentence where the server does not take it.
//
// Not here: hello and its answer (chat.js).

import { byId, set, setText } from './nodes.js';

export class Join {
  #view = byId('join');
  #form = this.#view.querySelector('form');
  #name = byId('name');
  #error = byId('join-error');
  #button = this.#form.querySelector('button');

  /** `enter(name)` is called with what was typed. */
  constructor(enter) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      setText(this.#error, '');
      enter(this.#name.value.trim());
    });
    this.#name.addEventListener('input', () => setText(this.#error, ''));
  }

  show({ visible, busy, error, name }) {
    const appears = visible && this.#view.hidden;
    this.#view.hidden = !visible;
    set(this.#button, 'aria-busy', busy ? 'true' : null);
    set(this.#name, 'aria-invalid', error ? 'true' : null);
    if (error) setText(this.#error, error);
    if (!appears) return;
    this.#name.value ||= name ?? '';
    this.#name.focus();
  }
}
