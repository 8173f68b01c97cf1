// The sign-in form: a name, and why the server refuses it.

import { t } from '../texts/en.js';
import { byId, set, setText } from './dom.js';

export class SignIn {
  #view = byId('join');
  #form = this.#view.querySelector('form');
  #name = byId('name');
  #error = byId('join-error');
  #button = this.#form.querySelector('[type=submit]');
  #alternative = byId('join-propose');
  #busy = false;

  /** `enter(name)` is called with what was typed. */
  constructor(enter) {
    const clear = () => {
      setText(this.#error, '');
      this.#alternative.hidden = true;
    };
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      clear();
      enter(this.#name.value.trim());
    });
    this.#name.addEventListener('input', clear);
    this.#alternative.addEventListener('click', () => {
      this.#name.value = this.#alternative.value;
      this.#form.requestSubmit();
    });
  }

  /** `alternative` is a name to offer instead of the one that was refused, or null. */
  show({ visible, busy, error, name, alternative }) {
    const appears = visible && this.#view.hidden;
    this.#view.hidden = !visible;
    set(this.#button, 'aria-busy', busy ? 'true' : null);
    set(this.#name, 'aria-invalid', error ? 'true' : null);
    // The server's sentence may name the alternative already.
    if (error) setText(this.#error, alternative && !error.includes(alternative) ? t.signIn.proposal(error, alternative) : error);
    this.#alternative.hidden = !error || !alternative;
    this.#alternative.value = alternative ?? '';
    setText(this.#alternative, t.signIn.take(alternative));
    const refused = this.#busy && !busy && error;
    this.#busy = busy;
    if (appears) this.#name.value ||= name ?? '';
    if (appears || (visible && refused)) this.#name.focus();
  }
}
