// Modal windows: the keyboard stays inside until they are closed, by Escape, a click beside them,
// or their button.

import { t } from '../texts/language.js';
import { button, byId, element, set, setText } from './dom.js';

/** Whether a dialog is open; the page's own keys do nothing then. */
export const isOpen = () => document.querySelector('dialog[open]') !== null;

const FOCUSABLE = 'button, input, select, textarea, a[href], [tabindex="0"]';

/** Opens a dialog; the keyboard goes to `first`, and back when it closes. */
export function open(dialog, first) {
  if (dialog.open) return;
  const before = document.activeElement;
  dialog.showModal();
  first.focus();
  dialog.addEventListener('close', () => {
    if (document.activeElement === document.body && before?.isConnected) before.focus();
  }, { once: true });
}

/** Makes a dialog with a heading and a close button. */
export function make(title, ...content) {
  const close = button({
    class: 'close',
    'aria-label': t.page.close,
    onclick: () => dialog.close(),
  }, '×');
  const box = element('div', { class: 'window' }, element('h2', {}, title), ...content, close);
  const dialog = element('dialog', { 'aria-label': title }, box);
  // the backdrop
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  // A modal dialog lets Tab out into the browser's own controls. Here it wraps around.
  dialog.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab') return;
    const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter((one) =>
      one.tabIndex >= 0 && one.getClientRects().length > 0
    );
    const [first, last] = [stops[0], stops.at(-1)];
    if (document.activeElement !== (event.shiftKey ? first : last)) return;
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  });
  byId('dialogs').append(dialog);
  return dialog;
}

/** Asks a question. Resolves to whether the user agreed. */
export const confirm = async (title, text, yes) =>
  await choose(title, text, [[yes, true]]) === true;

/** Offers `choices`, each a text and a value. Resolves to the value of the chosen one, or null. */
export function choose(title, text, choices) {
  return new Promise((resolve) => {
    let chosen = null;
    const cancel = button({ onclick: () => dialog.close() }, t.chat.cancel);
    const buttons = choices.map(([label, value]) =>
      button({
        class: 'main',
        onclick: () => {
          chosen = value;
          dialog.close();
        },
      }, label)
    );
    const dialog = make(title, element('p', {}, text),
      element('div', { class: 'choices' }, cancel, ...buttons));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(chosen);
    }, { once: true });
    open(dialog, cancel);
  });
}

/**
 * Asks for a text, or a `date`. `submit(text)` is awaited; what it throws is shown, and the dialog
 * stays open. `offer(text, code)` returns a text to take instead of this one, or null; `code` is
 * that of the error, if there was one.
 */
export function prompt(title, label, value, yes, submit, options = {}) {
  const { type = 'text', offer = () => null } = options;
  const field = element('input', {
    type,
    'aria-label': label,
    value,
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: '128',
    required: true,
  });
  const error = element('p', { class: 'error', role: 'alert' });
  const other = button({
    class: 'propose',
    onclick: () => {
      field.value = other.value;
      form.requestSubmit();
    },
  });
  const propose = (text) => {
    other.hidden = text === null;
    other.value = text ?? '';
    setText(other, t.signIn.take(other.value));
  };
  propose(null);
  field.addEventListener('input', () => propose(offer(field.value.trim())));
  const form = element('form', {}, field, error, other,
    element('div', { class: 'choices' }, element('button', { class: 'main' }, yes)));
  const dialog = make(title, form);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await submit(field.value.trim());
      dialog.close();
    } catch (refused) {
      propose(offer(field.value.trim(), refused.code));
      setText(error, refused.message);
      set(field, 'aria-invalid', 'true');
      field.select();
    }
  });
  dialog.addEventListener('close', () => dialog.remove(), { once: true });
  open(dialog, field);
  field.select();
}
