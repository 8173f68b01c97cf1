// The user's own name at the foot of the sidebar, and its menu: rename, notifications, theme,
// language, shortcuts, leave.

import * as storage from '../store/storage.js';
import { languages, nameOf, t } from '../texts/language.js';
import { alternativeName } from '../texts/names.js';
import { showAvatar } from './avatar.js';
import * as dialogs from './dialogs.js';
import { byId, setText } from './dom.js';
import { LINE, openMenu } from './menu.js';
import * as theme from './theme.js';

/** The languages of the page. It loads again to change to another one. */
const languageItems = () =>
  languages.map((tag) => ({
    text: nameOf(tag),
    lang: tag,
    radio: true,
    checked: tag === document.documentElement.lang,
    act: () => {
      storage.language.set(tag);
      location.reload();
    },
  }));

export class OwnMenu {
  #chat;

  /** `bell` has the item for notifications; `shortcuts()` shows the list of keys. */
  constructor(chat, bell, shortcuts) {
    this.#chat = chat;
    const opener = byId('me-button');
    opener.addEventListener('click', () =>
      openMenu(t.page.yourMenu, [
        chat.fixedName === null && { text: t.menu.rename, act: () => this.#rename() },
        bell.item(),
        LINE,
        {
          name: t.page.theme,
          look: 'equal',
          row: ['system', 'light', 'dark'].map((one) => ({
            text: t.page[one],
            radio: true,
            checked: theme.current() === one,
            act: () => theme.choose(one),
          })),
        },
        {
          text: t.page.language,
          act: () => openMenu(t.page.language, languageItems(), opener.getBoundingClientRect()),
        },
        LINE,
        { text: t.page.shortcuts, act: shortcuts },
        LINE,
        { text: t.page.leaveChat, danger: true, act: () => chat.quit() },
      ], opener.getBoundingClientRect()));
  }

  show() {
    // known before the server answers
    const name = this.#chat.state.me?.name ?? this.#chat.name ?? '';
    setText(byId('me'), name);
    showAvatar(byId('me-avatar'), name);
  }

  #rename() {
    dialogs.prompt(t.chat.renameTitle, t.page.yourName, this.#chat.state.me?.name ?? '',
      t.chat.rename, (name) => this.#chat.rename(name), { offer: alternativeName });
  }
}
