// A menu that opens at a button or a point: the keyboard is in it until it closes, and goes back to
// where it was.

import { button, byId, element } from './dom.js';

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
/** A line between two groups of items. */
export const LINE = { line: true };

/**
 * Opens a menu at a rectangle. `items` are `{ text, act }`, also with `danger`, with `checked` for
 * one that is on or off (`radio`: one of several), or without `act` for a line that only informs;
 * LINE; or `{ name, row }` with a row of small items, each with a `label` for screen readers, and
 * `look`, a class. Absent items (null) are left out.
 */
export function openMenu(label, items, rect) {
  const before = document.activeElement;
  const item = ({ text, label: name, checked, radio, act, danger, lang }) =>
    button({
      lang,
      role: checked === undefined ? 'menuitem' : `menuitem${radio ? 'radio' : 'checkbox'}`,
      tabindex: '-1',
      class: danger ? 'danger' : null,
      'aria-label': name,
      'aria-checked': checked === undefined ? null : String(checked),
      'aria-disabled': act ? null : 'true',
      onclick: () => {
        if (!act) return;
        close();
        act();
      },
    }, text);
  const entry = (one) => {
    if (one.line) return element('hr');
    return one.row
      ? element('div', { class: `row-of ${one.look ?? ''}`, role: 'group', 'aria-label': one.name },
        ...one.row.map(item))
      : item(one);
  };
  const menu = element('div', {
    class: 'popup',
    role: 'menu',
    'aria-label': label,
    popover: 'manual',
  }, ...items.filter(Boolean).map(entry));
  const close = () => {
    removeEventListener('pointerdown', onOutside, true);
    if (menu.contains(document.activeElement) || document.activeElement === document.body)
      before?.focus();
    menu.remove();
  };
  // Not the browser's own way to close it, which would take the end of a long press for a click
  // beside it.
  const onOutside = ({ target }) => menu.contains(target) || close();
  addEventListener('pointerdown', onOutside, true);
  menu.addEventListener('keydown', (event) => {
    const all = [...menu.querySelectorAll('button')];
    const at = all.indexOf(document.activeElement);
    const next = { Home: 0, End: all.length - 1 }[event.key]
      ?? (STEPS[event.key] && (at + STEPS[event.key] + all.length) % all.length);
    if (next !== undefined) all[next].focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  (before?.closest('main, aside') ?? byId('main')).append(menu);
  menu.showPopover();
  // On a phone the style sheet puts it at the bottom.
  const { width, height } = menu.getBoundingClientRect();
  const top = rect.bottom + height < innerHeight
    ? rect.bottom
    : Math.max(4, Math.min(rect.top, innerHeight) - height);
  const left = document.documentElement.dir === 'rtl' ? rect.right - width : rect.left;
  menu.style.left = `${Math.max(4, Math.min(left, innerWidth - width - 4))}px`;
  menu.style.top = `${top}px`;
  menu.querySelector('button:not([aria-disabled])').focus();
}
