// The page /wire: a connection of its own to /echo or /chat, which is traced from its handshake on.
//
// Not here: how it is shown (wire-view.js), frames made by hand (trial.js).

import { beside } from '../texts/address.js';
import { element, setText } from '../views/dom.js';
import { trialBox } from './frame-builder.js';
import { WireView } from './wire-view.js';

const root = document.getElementById('wire');
const endpoint = element('select', { 'aria-label': 'Connect to' },
  element('option', { value: 'echo' }, '/echo: all comes back'), element('option', { value: 'chat' }, '/chat: the chat'));
const connect = element('button', { type: 'button', class: 'main-button' }, 'Connect');
const text = element('input', { type: 'text', 'aria-label': 'Text message', placeholder: 'A text message', autocomplete: 'off' });
const send = element('button', { type: 'submit' }, 'Send');
const form = element('form', { class: 'say' }, text, send);
const hint = element('p', { class: 'hint' });
let socket = null;
let view = null;

function showState() {
  setText(connect, socket ? 'Close' : 'Connect');
  endpoint.disabled = socket !== null;
  send.disabled = socket?.readyState !== WebSocket.OPEN;
  setText(hint, endpoint.value === 'chat' ? 'The chat takes JSON or typed lines. First: /nick YourName, then anything.' : 'The echo sends back what it gets.');
}

function open() {
  view.clear();
  const url = beside(endpoint.value, document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  url.search = '?trace=1';
  const opened = new WebSocket(url);
  socket = opened;
  opened.onopen = showState;
  let isTraced = false;
  opened.onmessage = ({ data }) => {
    if (typeof data !== 'string' || !data.startsWith('{"type":"trace"')) return;
    isTraced = true;
    view.add(JSON.parse(data));
  };
  opened.onclose = ({ code, reason }) => {
    view.note(isTraced ? `Closed: ${code} ${reason}` : 'No trace came: the server can’t be reached, does not take this page’s address, or has its wire view turned off (--no-trace).');
    if (socket === opened) socket = null;
    showState();
  };
  showState();
}

connect.addEventListener('click', () => (socket ? socket.close(1000) : open()));
endpoint.addEventListener('change', showState);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(text.value);
  text.value = '';
});

view = new WireView(root, endpoint, connect);
root.querySelector('.status').after(form, hint);
root.append(trialBox());
open();
document.documentElement.dataset.started = ''; // see start.js
