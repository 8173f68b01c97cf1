// Light or dark: as the system, or as the reader chose; the same in all tabs. Loaded before the
// first paint.

import * as storage from '../store/storage.js';
import { set } from './dom.js';

const show = () => set(document.documentElement, 'data-theme', storage.theme.get());

/** The reader's choice: 'system', 'light' or 'dark'. */
export const current = () => storage.theme.get() ?? 'system';

export function choose(theme) {
  storage.theme.set(theme === 'system' ? null : theme);
  show();
}

storage.theme.onChange(show);
show();
