// Panels, dialogs and menus that open at a click or a key. main.js loads them once the page can be
// used.

import { check } from '../connection/check.js';
import { ChannelBrowser } from '../views/channel-browser.js';
import { openConnectionCheck } from '../views/connection-check.js';
import { invite } from '../views/invitation.js';
import { QuickSwitcher } from '../views/quick-switcher.js';
import { Search } from '../views/search.js';
import { saveTranscript } from '../views/transcript.js';
import { togglePanel } from '../wire/panel.js';

/** Makes the panels. Returns what main.js calls by name, and those that it keeps up to date. */
export const later = (chat) => {
  const [browser, switcher, search] = [ChannelBrowser, QuickSwitcher, Search].map((View) =>
    new View(chat)
  );
  return {
    browser,
    search,
    invite,
    saveTranscript,
    togglePanel,
    browse: () => browser.open(),
    jump: () => switcher.open(),
    find: (text) => search.open(text),
    list: (view) => search.list(view),
    toggleSearch: () => search.toggle(),
    check: () => openConnectionCheck(() => check(location)),
  };
};
