// The list above the composer: what the word before the caret could become. The keyboard stays in
// the composer.

import { entersSuggestion, replaced, suggestions, wordAt } from '../texts/complete.js';
import { byId, element, set } from './dom.js';

export class Suggestions {
  #box;
  #sources;
  #list = byId('suggestions');
  #word = null;
  #offered = [];
  #at = 0;
  #chosen = false;

  /** `sources()` returns `{ people, emoji }`. */
  constructor(box, sources) {
    this.#box = box;
    this.#sources = sources;
    set(box, 'aria-autocomplete', 'list');
    box.addEventListener('blur', () => this.close());
    document.addEventListener('selectionchange', () => {
      if (this.#word && document.activeElement === box && this.#wordNow()?.from !== this.#word.from)
        this.close();
    });
    // the composer keeps the keyboard
    this.#list.addEventListener('mousedown', (event) => event.preventDefault());
  }

  /** The text was changed by typing. */
  update() {
    this.#word = this.#wordNow();
    this.#offered = this.#word ? suggestions(this.#word, this.#sources()) : [];
    if (this.#offered.length === 0) return this.close();
    this.#chosen = false;
    this.#list.replaceChildren(...this.#offered.map(({ label, hint }, index) =>
      element('li', {
        id: `p:suggestion-${index}`,
        role: 'option',
        onclick: () => this.#take(index),
      }, element('bdi', {}, label), hint && element('span', { class: 'hint' }, ` ${hint}`))
    ));
    this.#list.hidden = false;
    set(this.#box, 'aria-controls', this.#list.id);
    // A list that scrolls has to be reachable by keyboard.
    set(this.#list, 'tabindex', this.#list.scrollHeight > this.#list.clientHeight ? '0' : null);
    this.#choose(0);
    return undefined;
  }

  close() {
    this.#word = null;
    this.#offered = [];
    this.#list.hidden = true;
    for (const name of ['aria-activedescendant', 'aria-controls']) set(this.#box, name, null);
  }

  /** Handles a key in the composer. True if it was meant for the list. */
  onKey({ key, shiftKey, ctrlKey, altKey, metaKey }) {
    // the focus must not go into a list that is about to close
    if (key === 'Tab' && shiftKey) this.close();
    if (!this.#word || shiftKey || ctrlKey || altKey || metaKey) return false;
    const count = this.#offered.length;
    switch (key) {
      case 'ArrowDown':
      case 'ArrowUp':
        this.#chosen = true;
        this.#choose((this.#at + (key === 'ArrowDown' ? 1 : count - 1)) % count);
        return true;
      case 'Escape':
        this.close();
        return true;
      case 'Tab':
        this.#take(this.#at);
        return true;
      case 'Enter':
        if (!entersSuggestion(this.#word, this.#offered, this.#chosen)) return false;
        this.#take(this.#at);
        return true;
      default:
        return false;
    }
  }

  #wordNow() {
    const { value, selectionStart, selectionEnd } = this.#box;
    return selectionStart === selectionEnd ? wordAt(value, selectionStart) : null;
  }

  #choose(index) {
    this.#at = index;
    for (const [at, option] of [...this.#list.children].entries())
      set(option, 'aria-selected', String(at === index));
    set(this.#box, 'aria-activedescendant', `p:suggestion-${index}`);
    this.#list.children[index].scrollIntoView({ block: 'nearest' });
  }

  #take(index) {
    const { value } = this.#box;
    const [word, end] = [this.#word, this.#word.from + this.#word.typed.length];
    const { text, caret } = replaced(value, word, this.#offered[index].value);
    replaceText(this.#box, word.from, end,
      text.slice(word.from, text.length - (value.length - end)));
    this.#box.setSelectionRange(caret, caret);
    this.close();
  }
}

/** Replaces a part of a box's text as typing would: it can be undone, and the box sends `input`. */
export function replaceText(box, from, to, text) {
  box.focus();
  box.setSelectionRange(from, to);
  // The only way onto the browser's undo stack. An empty text can't be inserted, and some browsers
  // refuse.
  if (document.execCommand(text === '' ? 'delete' : 'insertText', false, text)) return;
  box.setRangeText(text, from, to, 'end');
  box.dispatchEvent(new InputEvent('input', { bubbles: true }));
}
