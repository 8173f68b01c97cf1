// Joins the parts: the chat, the regions that show it, and what the browser tells.
//
// Everything is shown anew after a change, once for all changes of a moment; each region touches only what is different.

import { Chat } from './chat.js';
import { Composer } from './composer.js';
import { Feed } from './feed.js';
import { Join } from './join.js';
import { byId, setText } from './nodes.js';
import { pending } from './outbox.js';
import { unread } from './place.js';
import { Sidebar, isHere } from './sidebar.js';
import { HOME, openPlace } from './state.js';

const chat = new Chat(changed);
const join = new Join((name) => chat.enter(name));
const sidebar = new Sidebar(chat);
const feed = new Feed(chat);
const composer = new Composer(chat);

let planned = false;
function changed() {
  if (planned) return;
  planned = true;
  // Not an animation frame: a tab that is not looked at has none, but has a title.
  queueMicrotask(() => {
    planned = false;
    show();
  });
}

function show() {
  const { state } = chat;
  const place = openPlace(state);
  const outside = chat.stage === 'door' || (chat.stage === 'entering' && byId('chat').hidden && !resumes);
  join.show({ visible: outside, busy: chat.stage === 'entering', error: chat.doorError, name: chat.name });
  byId('chat').hidden = outside;
  setText(byId('connection'), chat.problem);
  byId('try').hidden = chat.problem === '';
  resumes &&= chat.stage !== 'door';
  sidebar.show(state);
  feed.show(place, place ? pending(chat.outbox, place.key) : []);
  composer.show(place, chat.notice);
  showHead(place);
  showTyping(place);
  if (chat.focusWanted && !outside) {
    chat.focusWanted = false;
    composer.focus();
  }
}

function showHead(place) {
  const { state } = chat;
  setText(byId('title'), place ? `${place.kind === 'channel' ? '#' : ''}${place.name}` : '');
  const count = state.channels.get(place?.name);
  const about = !place ? ''
    : place.kind === 'person' ? (isHere(state, place) ? 'online' : 'offline')
      : count ? `${count} ${count === 1 ? 'person' : 'people'}` : '';
  setText(byId('about'), about);
  byId('leave-channel').hidden = place?.kind !== 'channel' || place.name === HOME || !place.joined;
  const news = [...state.places.values()].reduce((sum, one) => sum + unread(one), 0);
  document.title = `${news > 0 ? `(${news}) ` : ''}${place ? `${byId('title').textContent} · ` : ''}parlor`;
}

let typingTimer = 0;
function showTyping(place) {
  clearTimeout(typingTimer);
  const now = Date.now();
  const live = place ? [...place.typing].filter(([name, until]) => until > now && name !== chat.state.me?.name) : [];
  const names = live.map(([name]) => name);
  const text = names.length === 0 ? '' : names.length === 1 ? `${names[0]} is typing…`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : 'Several people are typing…';
  setText(byId('typing'), text);
  if (live.length > 0) typingTimer = setTimeout(changed, Math.min(...live.map(([, until]) => until)) - now + 20);
}

byId('try').addEventListener('click', () => chat.tryNow());
byId('leave-channel').addEventListener('click', () => {
  const place = openPlace(chat.state);
  if (place?.kind === 'channel') chat.leaveChannel(place.name);
});
addEventListener('popstate', () => chat.stage === 'in' && chat.openAddress());
addEventListener('online', () => chat.nudge());
addEventListener('pageshow', ({ persisted }) => persisted && chat.nudge());
addEventListener('pagehide', () => chat.keepMarks());
document.addEventListener('visibilitychange', () => (document.visibilityState === 'visible' ? chat.nudge() : chat.lookAway()));

chat.begin();
// Who comes back sees the chat at once, not the door; the door only where the session's name was given to somebody else.
let resumes = chat.stage === 'entering';
show();
