// The entry point: connects the chat, the views that show it, and what the browser reports.
//
// After a change every view is updated, once for all changes of a frame; each touches only what is
// different.

import { openRoom } from '../store/state.js';
import { loadTexts, t } from '../texts/language.js';
import { Composer } from '../views/composer.js';
import { ConnectionBanner } from '../views/connection-banner.js';
import * as dialogs from '../views/dialogs.js';
import { byId, fillTexts, loadStyles } from '../views/dom.js';
import { Feed } from '../views/feed.js';
import * as keys from '../views/keys.js';
import { Bell } from '../views/notify.js';
import { OwnMenu } from '../views/own-menu.js';
import { OwnerMenu } from '../views/owner-menu.js';
import { PeopleList } from '../views/people-list.js';
import { RoomHeader } from '../views/room-header.js';
import { Sidebar } from '../views/sidebar.js';
import { SignIn } from '../views/sign-in.js';
import { Chat } from './chat.js';
import { keep } from './keep.js';

/** The longest time until an update is shown; a hidden tab gets no frames, but has a title. */
const FRAME_MS = 100;
/** When the page is kept for a start without the server. */
const KEEP_MS = 3000;
/** How often the page is updated without a reason: the date or the time zone may have changed. */
const REFRESH_MS = 20_000;

await loadTexts();
let loading = null;
let panels = null; // what later.js returns, once it is loaded
const load = () => (loading ??= loadPanels());
async function loadPanels() {
  const files = await Promise.all([import('../app/later.js'), loadStyles('styles/wire.css')]);
  return (panels = files[0].later(chat));
}
/** A function that calls one of later.js. */
const later = (name) => (...values) =>
  load().then((all) => all[name](...values), () => {
    loading = null;
    chat.tell(t.connection.unreachable, true);
  });

fillTexts(t.page);
const chat = new Chat(changed, dialogs.confirm);
const signIn = new SignIn((name, password) => chat.enter(name, password));
const sidebar = new Sidebar(chat, later('browse'), later('jump'), later('list'));
const feed = new Feed(chat);
const composer = new Composer(chat);
const banner = new ConnectionBanner(chat, later('check'));
const bell = new Bell(chat);
const header = new RoomHeader(chat, changed, later);
const ownerMenu = new OwnerMenu(chat);
const people = new PeopleList(chat);

let scheduled = false, frame = 0, timer = 0;
function changed() {
  if (scheduled) return;
  scheduled = true;
  frame = requestAnimationFrame(update);
  timer = setTimeout(update, FRAME_MS);
}

function update() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  scheduled = false;
  show();
}

function show() {
  const { state, stage } = chat;
  const room = openRoom(state);
  const isOut = stage === 'out' || (stage === 'entering' && byId('chat').hidden && !resumes);
  resumes &&= stage !== 'out';
  const { signInError: error, name, fixedName, alternative, needsPassword } = chat;
  signIn.show({
    visible: isOut,
    busy: stage === 'entering',
    error,
    name,
    fixedName,
    alternative,
    needsPassword,
  });
  byId('chat').hidden = byId('skip').hidden = isOut;
  byId('chat').classList.toggle('offline', chat.downSince !== null);
  banner.show();
  sidebar.show();
  feed.show(room, room ? chat.pending(room) : []);
  composer.show(room, chat.notice);
  header.show(room);
  ownerMenu.show(room);
  people.show(room);
  panels?.browser.show();
  ownMenu.show();
  if (isOut) return panels?.search.forget();
  if (chat.focusWanted) {
    chat.focusWanted = false;
    composer.focus();
  }
  restoreFocus();
}

// A button may disappear after its action (Try again, Delete, Leave channel). Then the keyboard
// focus goes to the composer.
let focused = null;
addEventListener('focusin', ({ target }) => {
  focused = target;
});
function restoreFocus() {
  const { activeElement, body } = document;
  if (focused === null || (activeElement !== body && activeElement !== focused)) return;
  if (focused.isConnected && !focused.closest('[hidden]')) return;
  focused = null;
  composer.focus();
}

chat.heard = (...heard) => bell.ring(...heard);
chat.searchWanted = later('find');
chat.outdated = (event) => {
  for (const view of [bell, ownerMenu, panels?.search]) view?.outdated(event);
};
const showKeys = keys.listen({
  inside: () => !byId('chat').hidden,
  jump: later('jump'),
  search: later('find'),
  hasSearch: () => document.activeElement === byId('search-text'),
  escape: () => {
    chat.hush();
    if (document.activeElement !== byId('menu')) composer.focus(); // Escape closed the drawer
  },
});
const ownMenu = new OwnMenu(chat, bell, showKeys);
byId('search-button').addEventListener('click', later('toggleSearch'));
byId('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address names a room
  byId('text').focus();
});
// A file dropped anywhere would replace the page.
addEventListener('dragover',
  (event) => event.dataTransfer.types.includes('Files') && event.preventDefault());
addEventListener('drop', (event) => {
  if (!event.dataTransfer.types.includes('Files')) return;
  event.preventDefault();
  if (chat.stage === 'in') chat.tell(t.chat.noFiles, true);
});
addEventListener('popstate',
  () => !chat.takeSecrets() && chat.stage === 'in' && chat.openAddress());
for (const change of ['online', 'offline']) addEventListener(change, () => chat.nudge());
addEventListener('pageshow', ({ persisted }) => {
  chat.markers.setLeaving(false);
  if (persisted) chat.nudge();
});
addEventListener('pagehide', () => chat.markers.setLeaving(true));
addEventListener('focus', () => chat.markers.update());
addEventListener('blur', () => chat.markers.onBlur());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return chat.markers.onBlur();
  chat.nudge();
  return changed();
});
setInterval(changed, REFRESH_MS);

chat.begin();
// A returning user sees the chat at once; the sign-in form only if someone else has the name now.
let resumes = chat.stage === 'entering';
show();
document.documentElement.dataset.started = ''; // see start.js
document.querySelector('.start:not(.failed)')?.remove();
const loaded = load().catch(() => {
  loading = null;
});
setTimeout(() => loaded.then(keep), KEEP_MS);
