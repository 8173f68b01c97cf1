// The form at the door: a name, and a sentence where the server does not take it.
//
// Not here: hello and its answer (chat.js).

import { byId, set, setText } from './dom.js';

export class Join {
  #view = byId('join');
  #form = this.#view.querySelector('form');
  #name = byId('name');
  #error = byId('join-error');
  #button = this.#form.querySelector('[type=submit]');
  #propose = byId('join-propose');
  #busy = false;

  /** `enter(name)` is called with what was typed. */
  constructor(enter) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      setText(this.#error, '');
      this.#propose.hidden = true;
      enter(this.#name.value.trim());
    });
    this.#name.addEventListener('input', () => {
      setText(this.#error, '');
      this.#propose.hidden = true;
    });
    this.#propose.addEventListener('click', () => {
      this.#name.value = this.#propose.value;
      this.#form.requestSubmit();
    });
  }

  /** `proposal` is another name, where the one that was typed is taken. */
  show({ visible, busy, error, name, proposal }) {
    const appears = visible && this.#view.hidden;
    this.#view.hidden = !visible;
    set(this.#button, 'aria-busy', busy ? 'true' : null);
    set(this.#name, 'aria-invalid', error ? 'true' : null);
    if (error) setText(this.#error, proposal ? `${error.replace(/[^.!?]$/, '$&.')} How about ${proposal}?` : error);
    this.#propose.hidden = !error || !proposal;
    this.#propose.value = proposal ?? '';
    setText(this.#propose, `Take ${proposal}`);
    const refused = this.#busy && !busy && error;
    this.#busy = busy;
    if (appears) this.#name.value ||= name ?? '';
    if (appears || (visible && refused)) this.#name.focus();
  }
}
