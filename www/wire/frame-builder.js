// The box in which frames are made by hand: what a page can't send itself goes as hex in the command `try`, to a fresh copy of the
// server's own machine.
//
// Each trial has a connection of its own: it works beside any other, and leaves no frames in the list.
//
// Not here: how a frame is put together (frames.js), how one is shown (wire-view.js).

import { OPCODES, PRESETS, bytesOf, bytesOfText, frame, hexOf, textOf, visible } from './frames.js';
import { element } from '../views/dom.js';
import { chatUrl } from '../connection/protocol.js';
import { dissected } from './wire-view.js';

const field = (label, node) => element('label', {}, element('span', {}, label), node);
const check = (label, checked = false) => {
  const box = element('input', { type: 'checkbox', checked });
  return { box, label: element('label', { class: 'check' }, box, ' ', label) };
};

/** Asks the server what it makes of these bytes. */
function ask(command) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(chatUrl(document.baseURI));
    const fail = () => reject(new Error('The server can’t be reached.'));
    const timer = setTimeout(fail, 10_000);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'try', id: 1, ...command }));
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.id !== 1) return;
      clearTimeout(timer);
      socket.onclose = null;
      socket.close(1000);
      if (event.type === 'tried') resolve(event);
      else reject(new Error(event.code === 'unknown_type' ? 'This server has its wire view turned off (--no-trace).' : event.message));
    };
    socket.onclose = fail;
  });
}

const OUTCOMES = {
  whole: 'Legal, and something is whole.',
  fragment: 'Legal; the message goes on.',
  unfinished: 'Legal so far; its end has not come.',
  unread: 'Not read: it stands behind a close frame.',
};

function verdict({ outcome, violation, message, answer }) {
  const nodes = [];
  if (violation) {
    nodes.push(element('p', { class: 'wrong' }, `${violation.section.replace('RFC 6455 ', 'RFC 6455 §').replace('RFC 7692 ', 'RFC 7692 §')}: ${violation.sentence}. `
      + `The server closes with ${violation.code}.`));
  } else {
    nodes.push(element('p', { class: 'right' }, OUTCOMES[outcome]));
  }
  if (message) {
    const bytes = bytesOf(message.bytes);
    const text = textOf(bytes);
    nodes.push(element('p', {}, `It gets: ${message.opcode}, ${message.length} bytes: `, element('code', {}, text === null ? hexOf(bytes) : visible(text))));
  }
  if (answer) nodes.push(element('p', {}, 'It answers: ', element('code', {}, answer)));
  return nodes;
}

export function trialBox() {
  const preset = element('select', {}, element('option', { value: '' }, 'Choose …'), ...PRESETS.map(([name], index) => element('option', { value: index }, name)));
  const opcode = element('select', {}, ...Object.entries(OPCODES).map(([name, value]) => element('option', { value }, `${value}: ${name}`)),
    ...[3, 11].map((value) => element('option', { value }, `${value}: no meaning`)));
  opcode.value = '1';
  const [fin, rsv1, rsv2, rsv3, masked] = [check('FIN', true), check('RSV1'), check('RSV2'), check('RSV3'), check('MASK', true)];
  const length = element('select', {}, ...[['shortest', 'shortest'], ['16', '2 bytes more'], ['64', '8 bytes more']].map(([value, name]) => element('option', { value }, name)));
  const payload = element('input', { type: 'text', value: 'Hello', autocomplete: 'off', spellcheck: 'false' });
  const asHex = check('the payload is hex');
  const hex = element('textarea', { rows: '3', spellcheck: 'false', autocomplete: 'off' });
  const role = element('select', {}, element('option', { value: 'client' }, 'a client’s; the server judges'), element('option', { value: 'server' }, 'a server’s; a client judges'));
  const deflate = check('compression was agreed on');
  const result = element('div', { class: 'result', role: 'status', 'aria-label': 'What the server says' });

  const make = () => {
    const bytes = asHex.box.checked ? bytesOf(payload.value) : bytesOfText(payload.value);
    payload.setAttribute('aria-invalid', String(bytes === null));
    if (!bytes) return;
    hex.value = hexOf(frame({
      opcode: Number(opcode.value), fin: fin.box.checked, rsv1: rsv1.box.checked, rsv2: rsv2.box.checked, rsv3: rsv3.box.checked,
      masked: masked.box.checked, payload: bytes, length: length.value,
    }));
  };
  for (const node of [opcode, length, payload, ...[fin, rsv1, rsv2, rsv3, masked, asHex].map(({ box }) => box)]) node.addEventListener('input', make);
  preset.addEventListener('change', () => {
    const chosen = PRESETS[Number(preset.value)];
    if (preset.value !== '' && chosen) hex.value = hexOf(chosen[1]);
  });
  make();

  const form = element('form', {},
    field('Break a rule, or keep it', preset),
    element('fieldset', {}, element('legend', {}, 'Or put a frame together'), field('Opcode', opcode),
      element('div', { class: 'checks' }, fin.label, rsv1.label, rsv2.label, rsv3.label, masked.label), field('Length', length),
      field('Payload', payload), asHex.label),
    field('Frames in hex, one behind the other', hex), field('Whose they are', role), deflate.label,
    element('button', { type: 'submit' }, 'Try it'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const tried = await ask({ frames: hex.value, role: role.value, deflate: deflate.box.checked });
      result.replaceChildren(...tried.steps.flatMap((step, index) => [
        element('h3', {}, tried.steps.length > 1 ? `Frame ${index + 1}` : 'The verdict'), ...verdict(step), ...dissected(step.bytes, step.frame),
      ]));
    } catch (error) {
      result.replaceChildren(element('p', { class: 'wrong' }, error.message));
    }
  });
  return element('details', { class: 'trial' }, element('summary', {}, 'Make a frame by hand'), form, result);
}
