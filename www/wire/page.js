// The page /wire: a connection of its own to /echo or /chat, traced from its opening handshake on.

import { parse } from '../connection/protocol.js';
import { beside } from '../texts/address.js';
import { loadTexts, t } from '../texts/language.js';
import { element, fillTexts, setText } from '../views/dom.js';
import { frameBuilder } from './frame-builder.js';
import { WireView } from './wire-view.js';

await loadTexts();
fillTexts(t.page);
const root = document.getElementById('wire');
const endpoint = element('select', { 'aria-label': t.wire.connectTo },
  ...[['echo', t.wire.echo], ['chat', t.wire.chat]].map(([value, name]) =>
    element('option', { value }, name)
  ));
const connect = element('button', { type: 'button', class: 'main-button' });
const text = element('input', {
  type: 'text',
  'aria-label': t.wire.text,
  placeholder: t.wire.text,
  autocomplete: 'off',
});
const send = element('button', { type: 'submit' }, t.wire.send);
const form = element('form', { class: 'say' }, text, send);
const hint = element('p', { class: 'hint' });
let socket = null;

function show() {
  setText(connect, socket ? t.wire.disconnect : t.wire.connect);
  endpoint.disabled = socket !== null;
  send.disabled = socket?.readyState !== WebSocket.OPEN;
  setText(hint, endpoint.value === 'chat' ? t.wire.chatHint : t.wire.echoHint);
}

function open() {
  view.clear();
  const url = beside(`${endpoint.value}?trace=1&deflate=0`, document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  const opened = new WebSocket(url);
  socket = opened;
  opened.onopen = show;
  let isTraced = false;
  opened.onmessage = ({ data }) => {
    const event = parse(data);
    if (event?.type !== 'trace') return;
    isTraced = true;
    view.add(event);
  };
  opened.onclose = ({ code, reason }) => {
    view.note(isTraced ? t.wire.closed(code, reason) : t.wire.noTrace);
    if (socket === opened) socket = null;
    show();
  };
  show();
}

connect.addEventListener('click', () => (socket ? socket.close(1000) : open()));
endpoint.addEventListener('change', show);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(text.value);
  text.value = '';
});

const view = new WireView(root, endpoint, connect);
root.querySelector('.status').after(form, hint);
root.append(frameBuilder());
open();
document.documentElement.dataset.started = ''; // see start.js
