// The panel *Wire* of the chat: the very connection that the chat is on. It opens and closes beside the chat.
//
// Not here: how frames are shown (wire-view.js), the chat's connection (chat.js, connection.js).

import { element } from '../views/dom.js';
import { trialBox } from './frame-builder.js';
import { WireView } from './wire-view.js';

let panel = null;

/** Opens the panel, or closes it. `button` is the one that did it, and gets the focus back. */
export function togglePanel(chat, button) {
  if (panel) {
    panel.close();
    return;
  }
  const close = element('button', { type: 'button', 'aria-label': 'Close the wire view' }, '×');
  const again = element('button', { type: 'button', title: 'Connects anew, which nobody else notices' }, 'From the handshake');
  const root = element('aside', { class: 'wire panel', 'aria-label': 'Wire' }, element('header', {}, element('h2', {}, 'Wire'), close));
  const view = new WireView(root, again);
  root.append(trialBox());
  panel = {
    close() {
      panel = null;
      chat.watchWire(null);
      root.remove();
      button.setAttribute('aria-expanded', 'false');
      button.focus();
    },
  };
  close.addEventListener('click', () => panel?.close());
  again.addEventListener('click', () => {
    view.clear();
    chat.wireFromHandshake();
  });
  root.addEventListener('keydown', (event) => event.key === 'Escape' && panel?.close());
  button.setAttribute('aria-expanded', 'true');
  document.body.append(root);
  chat.watchWire({ told: (trace) => view.add(trace), note: (sentence) => view.note(sentence) });
  close.focus();
}
