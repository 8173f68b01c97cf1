// The page's own keys. Never one that a browser or a screen reader needs: each has Ctrl (or ⌘) or Alt, but for Escape.
//
// Not here: the keys of the box (composer.js), of a list in a dialog (jump.js).

import * as dialogs from './dialogs.js';
import { byId, element } from './dom.js';
import { unread } from '../store/room.js';

/** What the dialog shows. */
const KEYS = [
  ['Ctrl+K', 'jump to a channel or a person'],
  ['Alt+↑, Alt+↓', 'your channel or conversation above, below'],
  ['Alt+Shift+↑, Alt+Shift+↓', 'the same, where something is unread'],
  ['Enter', 'send; on a touch keyboard: a new line'],
  ['Shift+Enter', 'a new line'],
  ['Ctrl+Enter', 'send, on any keyboard'],
  ['↑ in an empty box', 'what was sent last'],
  ['@, :, /', 'a name, an emoji, a command; Tab or Enter takes it'],
  ['Escape', 'close what is open; then back to the box'],
  ['Ctrl+/', 'this list'],
];

/** `does` has `jump()`, `escape()`, and `inside()`: whether the chat is shown. */
export function listen(does) {
  const list = element('dl', {}, ...KEYS.flatMap(([keys, meaning]) => [element('dt', {}, element('kbd', {}, keys)), element('dd', {}, meaning)]));
  const dialog = dialogs.make('Keyboard shortcuts', element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Keys' }, list));
  const showKeys = () => dialogs.open(dialog, dialog.querySelector('button'));
  byId('help').hidden = false;
  byId('help').addEventListener('click', showKeys);
  addEventListener('keydown', (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented || !does.inside()) return;
    const act = meaning(event, does, showKeys);
    if (!act) return;
    // An open dialog has the keyboard for itself; Escape closes it without us.
    if (event.key !== 'Escape') event.preventDefault();
    if (!dialogs.isOpen()) act();
  });
}

function meaning(event, does, showKeys) {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  const command = (ctrlKey || metaKey) && !altKey;
  if (command && !shiftKey && key.toLowerCase() === 'k') return does.jump;
  // On some keyboards the slash needs Shift.
  if (command && (key === '/' || (shiftKey && key === '?') || event.code === 'Slash')) return showKeys;
  if (altKey && !ctrlKey && !metaKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
    return () => step(key === 'ArrowUp' ? -1 : 1, shiftKey);
  }
  return key === 'Escape' && !ctrlKey && !metaKey && !altKey && !shiftKey ? does.escape : null;
}

/** Follows the next link of the column, in the order in which they stand there; channels that one is not in are passed over. */
function step(by, onlyUnread) {
  const links = [...byId('channels').querySelectorAll('a:not(.quiet), a[aria-current]'), ...byId('conversations').querySelectorAll('a')];
  const here = links.findIndex((link) => link.getAttribute('aria-current') === 'page');
  const way = Array.from(links, (_, index) => links[(here + by * (index + 1) + links.length * 2) % links.length]);
  way.find((link) => link !== links[here] && (!onlyUnread || (link.place && unread(link.place) > 0)))?.click();
}
