// Windows above the page: the keyboard stays in them until they are closed, by Escape, a click beside them, or their button.
//
// Not here: what is in them (jump.js, keys.js).

import { byId, element } from './dom.js';

/** Whether one is open: then the page's own keys are silent. */
export const isOpen = () => document.querySelector('dialog[open]') !== null;

const STOPS = 'button, input, select, textarea, a[href], [tabindex="0"]';

/** Opens a dialog; the keyboard goes to `first`. When it closes it goes back to where it was, unless `closed` moved it. */
export function open(dialog, first) {
  if (dialog.open) return;
  const before = document.activeElement;
  dialog.showModal();
  first.focus();
  dialog.addEventListener('close', () => {
    if (document.activeElement === document.body && before?.isConnected) before.focus();
  }, { once: true });
}

/** Makes one, with its heading and a button that closes it. */
export function make(title, ...content) {
  const close = element('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => dialog.close() }, '×');
  const dialog = element('dialog', { 'aria-label': title }, element('div', { class: 'window' }, element('h2', {}, title), ...content, close));
  // All that is seen of it stands within; what is clicked besides is the curtain behind it.
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  // A modal dialog lets Tab out into the browser's own buttons. Here it goes round.
  dialog.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab') return;
    const stops = [...dialog.querySelectorAll(STOPS)].filter((one) => one.tabIndex >= 0 && one.getClientRects().length > 0);
    const [first, last] = [stops[0], stops.at(-1)];
    if (document.activeElement !== (event.shiftKey ? first : last)) return;
    event.preventDefault();
    (event.shiftKey ? last : first).focus();
  });
  byId('dialogs').append(dialog);
  return dialog;
}
