// Light or dark: as the system has it, or as the reader wants it; remembered, and the same in all tabs. app/start.js sets it
// before the first paint. The colours are in styles/chat.css.

import { byId, set } from './dom.js';
import { keepTheme, theme } from '../store/storage.js';

function show() {
  set(document.documentElement, 'data-theme', theme());
}

/** Joins the field to it. */
export function listen() {
  const field = byId('theme');
  field.value = theme() ?? 'system';
  field.addEventListener('change', () => {
    keepTheme(field.value === 'system' ? null : field.value);
    show();
  });
  addEventListener('storage', () => {
    show();
    field.value = theme() ?? 'system';
  });
}

show();
