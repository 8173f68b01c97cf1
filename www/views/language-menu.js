// The menu of languages: what the reader chooses is kept in this browser. The page loads again to change it.

import * as storage from '../store/storage.js';
import { languages, nameOf } from '../texts/language.js';
import { byId, element } from './dom.js';

/** Connects the menu. */
export function listen() {
  const menu = byId('language');
  menu.append(...languages.map((tag) => element('option', { value: tag, lang: tag }, nameOf(tag))));
  menu.value = document.documentElement.lang;
  menu.addEventListener('change', () => {
    storage.language.set(menu.value);
    location.reload();
  });
}
