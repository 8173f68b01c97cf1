// The sign-in form: a name, the room's password if it has one, and why the server refuses them.

import { t } from '../texts/language.js';
import { alternativeName } from '../texts/names.js';
import { byId, set, setText } from './dom.js';

export class SignIn {
  #view = byId('join');
  #form = this.#view.querySelector('form');
  #name = byId('name');
  #password = byId('password');
  #error = byId('join-error');
  #button = this.#form.querySelector('[type=submit]');
  #alternative = byId('join-propose');
  #busy = false;

  /** `enter(name, password)` is called with what was typed. */
  constructor(enter) {
    const clear = () => {
      setText(this.#error, '');
      this.#alternative.hidden = true;
    };
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      clear();
      enter(this.#name.value.trim(), this.#password.value);
    });
    for (const field of [this.#name, this.#password]) field.addEventListener('input', clear);
    // A name with a space can't be sent: one that can is offered while it is typed.
    this.#name.addEventListener('input', () => {
      this.#offer(alternativeName(this.#name.value.trim()));
    });
    this.#offer(null);
    this.#alternative.addEventListener('click', () => {
      this.#name.value = this.#alternative.value;
      this.#form.requestSubmit();
    });
  }

  /** Offers a name to take instead, or none. */
  #offer(name) {
    this.#alternative.hidden = !name;
    this.#alternative.value = name ?? '';
    setText(this.#alternative, t.signIn.take(name ?? ''));
  }

  /**
   * `alternative` is a name to offer instead of the one that was refused, or null. `fixedName` is
   * the name that a proxy sets, or null: it is shown, but can't be changed.
   */
  show({ visible, busy, error, name, fixedName, alternative, needsPassword }) {
    const appears = visible && this.#view.hidden;
    this.#view.hidden = !visible;
    set(this.#button, 'aria-busy', busy ? 'true' : null);
    const wrong = needsPassword ? this.#password : this.#name;
    for (const field of [this.#name, this.#password])
      set(field, 'aria-invalid', error && field === wrong ? 'true' : null);
    this.#password.hidden = this.#password.labels[0].hidden = !needsPassword;
    if (!visible) this.#password.value = '';
    // The server's sentence may name the alternative already.
    if (error)
      setText(this.#error, alternative && !error.includes(alternative)
        ? t.signIn.proposal(error, alternative)
        : error);
    if (error) this.#offer(alternative);
    const refused = this.#busy && !busy && error;
    this.#busy = busy;
    if (appears) this.#name.value ||= name ?? '';
    const isFixed = fixedName !== null;
    if (isFixed) this.#name.value = fixedName;
    this.#name.readOnly = this.#view.querySelector('[data-text=welcome]').hidden = isFixed;
    if (appears || (visible && refused)) wrong.focus();
  }
}
