// Light or dark: as the system, or as the reader chose; the same in all tabs. Loaded before the first paint.

import * as storage from '../store/storage.js';
import { byId, set } from './dom.js';

const show = () => set(document.documentElement, 'data-theme', storage.theme.get());

/** Connects the menu. */
export function listen() {
  const menu = byId('theme');
  menu.value = storage.theme.get() ?? 'system';
  menu.addEventListener('change', () => {
    storage.theme.set(menu.value === 'system' ? null : menu.value);
    show();
  });
  storage.theme.onChange((theme) => {
    show();
    menu.value = theme ?? 'system';
  });
}

show();
