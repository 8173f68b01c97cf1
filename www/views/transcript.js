// Saves what is shown of a room as one HTML file that needs nothing else: no script, no picture, no
// server.

import { isChannel, isUser } from '../store/state.js';
import { t } from '../texts/language.js';
import { element } from './dom.js';
import { rows } from './feed-rows.js';
import { content } from './message-row.js';
import { day, dayName, whenOf } from './time.js';

const LOOKS = `:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
.first, .action, [data-kind=day], [data-kind=deleted] { margin-top: .8rem; }
.from, .edited, time, .reactions, .owner, [data-kind=day], [data-kind=deleted] {
  font-size: .85rem; opacity: .8;
}
p, pre, blockquote { margin: 0; }
.from .name { font-weight: 700; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
blockquote, pre { padding-left: .8rem; border-left: 3px solid; }
.avatar, .spoken, .row:not(.first):not(.action) > time:not(.edited) { display: none; }
.reactions span { margin-right: .6rem; }`;

/** Makes the file and lets the browser save it. `chat` knows whose messages are hidden. */
export function saveTranscript(chat, room) {
  const shown = room.past ?? room;
  const { state } = chat;
  const context = {
    me: state.me?.name,
    isUser: (name) => isUser(state, name),
    isChannel: (name) => isChannel(state, name),
  };
  const hidden = {
    ignored: ({ author }) => chat.ignored.has(author),
    deleting: (seq) => chat.deletions.has(room, seq),
  };
  const list = rows(shown, [], () => false, 0, shown.messages.length, hidden)
    .filter(({ kind }) => ['day', 'gap', 'message', 'deleted'].includes(kind));
  const dates = list.filter(({ message }) => message).map(({ message }) => message.at);
  if (dates.length === 0) return chat.tell(t.chat.nothingToSave, true);
  const place = `${room.kind === 'channel' ? '#' : ''}${room.name}`;
  const title = t.transcript.title(place, dayName(dates[0], 0), dayName(dates.at(-1), 0));
  const file = document.implementation.createHTMLDocument(title);
  const { lang, dir } = document.documentElement;
  Object.assign(file.documentElement, { lang, dir });
  file.head.prepend(element('meta', { charset: 'utf-8' }),
    element('meta', { name: 'viewport', content: 'width=device-width' }));
  file.body.append(element('h1', {}, title),
    element('p', {}, t.transcript.made(dates.length, whenOf(Date.now()))), ...list.map((row) => {
      const node = element('div', { class: 'row', 'data-kind': row.kind });
      node.append(...content(node, row, context));
      return node;
    }));
  for (const one of file.querySelectorAll('button'))
    one.replaceWith(element('span', {}, one.textContent));
  for (const link of file.querySelectorAll('a[href^="#"]'))
    link.href = new URL(link.getAttribute('href'), location.href).href;
  // As a node the page's own policy would refuse the style.
  const html = file.documentElement.outerHTML.replace('</head>',
    () => `<style>${LOOKS}</style></head>`);
  const url = URL.createObjectURL(new Blob([`<!doctype html>\n${html}`], { type: 'text/html' }));
  element('a', { href: url, download: t.transcript.file(room.name, day(Date.now())) }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return true;
}
