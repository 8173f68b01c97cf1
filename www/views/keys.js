// The page's own keys. They never take a key of the browser, the system or a screen reader.
//
// See composer.js for the keys of the message box, quick-switcher.js for those of its list.

import { t } from '../texts/language.js';
import * as dialogs from './dialogs.js';
import { byId, element } from './dom.js';

const isApple = () => /Mac|iPhone|iPad/.test(`${navigator.platform} ${navigator.userAgent}`);

/**
 * `does` has `jump()`, `search()`, `escape()`, `hasSearch()`: whether the search field has the
 * keyboard, and `inside()`: whether the chat is shown. Returns a function that shows the list of
 * keys.
 */
export function listen(does) {
  const written = (
    keys,
  ) => (isApple() ? keys.replaceAll(t.ctrl, '⌘').replaceAll('Alt', '⌥') : keys);
  const list = element('dl', {}, ...t.keys.flatMap(([keys, meaning]) => [
    element('dt', {}, element('kbd', {}, written(keys))),
    element('dd', {}, meaning),
  ]));
  const dialog = dialogs.make(t.page.shortcuts, element('div', {
    class: 'scroll',
    tabindex: '0',
    role: 'group',
    'aria-label': t.page.shortcuts,
  }, list));
  const actions = {
    jump: does.jump,
    search: does.search,
    escape: does.escape,
    help: () => dialogs.open(dialog, dialog.querySelector('button')),
    previous: () => step(-1, false),
    next: () => step(1, false),
    previousUnread: () => step(-1, true),
    nextUnread: () => step(1, true),
  };
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || !does.inside()) return;
    const name = shortcut(event, isApple());
    const act = actions[name];
    if (!act || (name === 'search' && does.hasSearch())) return; // a second Ctrl+F is the browser's
    // An open dialog has the keyboard for itself. Escape closes it without this page's help.
    if (event.key !== 'Escape') event.preventDefault();
    if (!dialogs.isOpen()) act();
  });
  return actions.help;
}

/**
 * The action that a `keydown` event asks for: `jump`, `search`, `help`, `escape`, `previous`,
 * `next`, `previousUnread` or `nextUnread`; or null.
 *
 * A letter is matched by what the key prints. Where it prints a letter of another script (on a
 * Cyrillic layout, say), its place on the keyboard counts instead. On Apple's systems ⌘ is what
 * Ctrl is elsewhere: Ctrl+K edits text there, and the key with the logo belongs to the system
 * elsewhere.
 */
export function shortcut(event, apple) {
  const { key, code, ctrlKey, metaKey, altKey, shiftKey, target } = event;
  // the key belongs to the input method
  if (event.isComposing || event.keyCode === 229) return null;
  const [command, foreign] = apple ? [metaKey, ctrlKey] : [ctrlKey, metaKey];
  if (foreign) return null;
  if (command && !altKey) {
    const isOtherScript = /^\p{L}$/u.test(key) && !/\p{Script=Latin}/u.test(key);
    const prints = (letter,
      place) => (isOtherScript ? code === place : key.toLowerCase() === letter);
    if (!shiftKey && prints('k', 'KeyK')) return 'jump';
    if (!shiftKey && prints('f', 'KeyF')) return 'search';
    // With Shift too: some layouts have the slash there, and on others it is the question mark that
    // means help.
    return prints('/', 'Slash') || (shiftKey && key === '?') ? 'help' : null;
  }
  if (command) return null;
  if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
    // Alt+↓ opens a list, and on Apple's systems ⌥↑ moves the caret by a paragraph.
    if (target?.tagName === 'SELECT' || (apple && target?.value)) return null;
    return `${key === 'ArrowUp' ? 'previous' : 'next'}${shiftKey ? 'Unread' : ''}`;
  }
  return key === 'Escape' && !altKey && !shiftKey ? 'escape' : null;
}

/**
 * Follows the next link of the sidebar, in its order; channels that the user is not in are skipped.
 */
function step(by, onlyUnread) {
  const links = [
    ...byId('sidebar').querySelectorAll(
      '#p\\:channels :is(a:not(.quiet), a[aria-current]), #p\\:conversations a',
    ),
  ];
  const here = links.findIndex((link) => link.getAttribute('aria-current') === 'page');
  const way = Array.from(links,
    (_, index) => links[(here + by * (index + 1) + links.length * 2) % links.length]);
  way.find((link) => link !== links[here] && (!onlyUnread || link.classList.contains('unread')))
    ?.click();
}
