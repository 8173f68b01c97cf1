// The wire view as a panel beside the chat: the connection that the chat itself uses.

import { t } from '../texts/language.js';
import { button, element, set } from '../views/dom.js';
import { frameBuilder } from './frame-builder.js';
import { WireView } from './wire-view.js';

let close = null;

/** Opens the panel, or closes it. `opener` is the button that did it; it gets the focus back. */
export function togglePanel(chat, opener) {
  if (close) return close();
  const cross = button({ 'aria-label': t.wire.close, onclick: () => close?.() }, '×');
  const again = button({ title: t.wire.againTitle }, t.wire.again);
  const root = element('aside', { class: 'wire panel', 'aria-label': t.page.wire },
    element('header', {}, element('h2', {}, t.page.wire), cross));
  const view = new WireView(root, again);
  root.append(frameBuilder());
  set(opener, 'aria-expanded', 'true');
  close = () => {
    close = null;
    chat.watchWire(null);
    root.remove();
    set(opener, 'aria-expanded', 'false');
    opener.focus();
  };
  again.addEventListener('click', () => {
    view.clear();
    chat.traceHandshake();
  });
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation(); // the page's own Escape moves the focus
    close?.();
  });
  document.body.append(root);
  chat.watchWire({ trace: (trace) => view.add(trace), note: (sentence) => view.note(sentence) });
  cross.focus();
  return undefined;
}
