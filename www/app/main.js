// Joins the parts: the chat, the regions that show it, and what the browser tells.
//
// Everything is shown anew after a change, once for all changes of a moment; each region touches only what is different.

import { Banner } from '../views/connection-banner.js';
import { Chat } from './chat.js';
import { Composer } from '../views/composer.js';
import { Feed } from '../views/feed.js';
import { Head } from '../views/room-header.js';
import { Join } from '../views/sign-in.js';
import { Jump } from '../views/quick-switcher.js';
import * as keys from '../views/keys.js';
import { Members } from '../views/member-list.js';
import { byId, setText } from '../views/dom.js';
import { Bell } from '../views/notify.js';
import { pending } from '../store/outbox.js';
import { Sidebar } from '../views/sidebar.js';
import { openPlace } from '../store/state.js';
import { tally } from '../views/sync-status.js';
import * as theme from '../views/theme.js';
import { togglePanel } from '../wire/panel.js';

const chat = new Chat(changed);
const join = new Join((name) => chat.enter(name));
const sidebar = new Sidebar(chat);
const feed = new Feed(chat);
const composer = new Composer(chat);
const banner = new Banner(chat);
const bell = new Bell(chat);
const jump = new Jump(chat);
const head = new Head(chat, changed);
const members = new Members(chat);

const FRAME_MS = 100;
let planned = false, frame = 0, timer = 0;
function changed() {
  if (planned) return;
  planned = true;
  // At the next frame, however much comes until then; a tab that is not looked at has none, but has a title.
  frame = requestAnimationFrame(soon);
  timer = setTimeout(soon, FRAME_MS);
}

function soon() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  planned = false;
  show();
}

function show() {
  const { state } = chat;
  const place = openPlace(state);
  const outside = chat.stage === 'door' || (chat.stage === 'entering' && byId('chat').hidden && !resumes);
  join.show({ visible: outside, busy: chat.stage === 'entering', error: chat.doorError, name: chat.name, proposal: chat.proposal });
  byId('chat').hidden = outside;
  byId('skip').hidden = outside;
  banner.show();
  resumes &&= chat.stage !== 'door';
  sidebar.show(state);
  feed.show(place, place ? pending(chat.outbox, place.key) : []);
  composer.show(place, chat.notice);
  head.show(place);
  members.show(place);
  setText(byId('proof'), tally(place));
  if (chat.focusWanted && !outside) {
    chat.focusWanted = false;
    composer.focus();
  }
  if (!outside) mindFocus();
}

// A button may go away with what it did (Try again, Delete, Try now, Leave channel): then the keyboard is with the box.
let focused = null;
addEventListener('focusin', ({ target }) => { focused = target; });
function mindFocus() {
  const { activeElement, body } = document;
  if (focused === null || (activeElement !== body && activeElement !== focused)) return;
  if (focused.isConnected && !focused.closest('[hidden]')) return;
  focused = null;
  composer.focus();
}

byId('wire').addEventListener('click', () => togglePanel(chat, byId('wire')));
chat.heard = (place, message, missed) => bell.ring(place, message, missed);
keys.listen({
  inside: () => !byId('chat').hidden,
  jump: () => jump.open(),
  escape: () => {
    chat.hush();
    if (document.activeElement !== byId('menu')) composer.focus(); // there the keyboard is after Escape closed the drawer
  },
});
byId('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address names a place, and stays
  byId('text').focus();
});
addEventListener('popstate', () => chat.stage === 'in' && chat.openAddress());
for (const change of ['online', 'offline']) addEventListener(change, () => chat.nudge());
addEventListener('pageshow', ({ persisted }) => {
  chat.marks.putAway(false);
  if (persisted) chat.nudge();
});
addEventListener('pagehide', () => chat.marks.putAway(true));
addEventListener('focus', () => chat.marks.look());
addEventListener('blur', () => chat.marks.lookAway());
document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? chat.nudge() : chat.marks.lookAway()));

theme.listen();
chat.begin();
// Who comes back sees the chat at once, not the door; the door only where the session's name was given to somebody else.
let resumes = chat.stage === 'entering';
show();
document.documentElement.dataset.started = ''; // see start.js
document.querySelector('.start:not(.failed)')?.remove();
