// The list above the box: what the word before the caret could become. The keyboard stays in the box.
//
// Not here: which suggestions there are (complete.js), what the box is besides (composer.js).

import { entersSuggestion, replaced, suggestions, wordAt } from '../texts/complete.js';
import { byId, element, set } from './dom.js';

export class Suggestions {
  #box; #sources; #taken; #list = byId('suggestions');
  #word = null; #offered = []; #at = 0; #chosen = false;

  /** `sources()` gives `{ people, emoji }`; `taken()` is called after the text of the box was changed. */
  constructor(box, sources, taken) {
    this.#box = box;
    this.#sources = sources;
    this.#taken = taken;
    set(box, 'aria-autocomplete', 'list');
    box.addEventListener('blur', () => this.close());
    // A caret that is put elsewhere leaves the word.
    document.addEventListener('selectionchange', () => this.#word && document.activeElement === box && !this.#isThere() && this.close());
    this.#list.addEventListener('mousedown', (event) => event.preventDefault()); // the box keeps the keyboard
  }

  /** The text was changed by who writes. */
  look() {
    const { value, selectionStart, selectionEnd } = this.#box;
    this.#word = selectionStart === selectionEnd ? wordAt(value, selectionStart) : null;
    this.#offered = this.#word ? suggestions(this.#word, this.#sources()) : [];
    if (this.#offered.length === 0) return this.close();
    this.#chosen = false;
    this.#list.replaceChildren(...this.#offered.map(({ label, hint }, index) => element('li', {
      id: `p:suggestion-${index}`, role: 'option', onclick: () => this.#take(index),
    }, element('bdi', {}, label), hint && element('span', { class: 'hint' }, ` ${hint}`))));
    this.#list.hidden = false;
    set(this.#box, 'aria-controls', this.#list.id);
    this.#choose(0);
    return undefined;
  }

  close() {
    this.#word = null;
    this.#offered = [];
    this.#list.hidden = true;
    for (const name of ['aria-activedescendant', 'aria-controls']) set(this.#box, name, null);
  }

  /** A key in the box. True where it was for the list. */
  key({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    if (!this.#word || shiftKey || ctrlKey || altKey || metaKey) return false;
    const count = this.#offered.length;
    switch (key) {
      case 'ArrowDown':
      case 'ArrowUp':
        this.#chosen = true;
        this.#choose((this.#at + (key === 'ArrowDown' ? 1 : count - 1)) % count);
        return true;
      case 'Escape': this.close(); return true;
      case 'Tab': this.#take(this.#at); return true;
      case 'Enter':
        if (!entersSuggestion(this.#word, this.#offered, this.#chosen)) return false;
        this.#take(this.#at);
        return true;
      default: return false;
    }
  }

  #isThere() {
    const { value, selectionStart } = this.#box;
    return wordAt(value, selectionStart)?.from === this.#word.from;
  }

  #choose(index) {
    this.#at = index;
    for (const [at, option] of [...this.#list.children].entries()) set(option, 'aria-selected', String(at === index));
    set(this.#box, 'aria-activedescendant', `p:suggestion-${index}`);
    this.#list.children[index].scrollIntoView({ block: 'nearest' });
  }

  #take(index) {
    const { text, caret } = replaced(this.#box.value, this.#word, this.#offered[index].value);
    this.close();
    this.#box.value = text;
    this.#box.setSelectionRange(caret, caret);
    this.#taken();
  }
}
