// The form in which frames are built by hand. What a page can't send itself goes as hex in the command `try` to a fresh
// copy of the server's own WebSocket code. Each try has a connection of its own, so it works beside any other.

import { chatUrl } from '../connection/protocol.js';
import { t } from '../texts/en.js';
import { element } from '../views/dom.js';
import { OPCODES, PRESETS, bytesOf, bytesOfText, frame, hexOf, textOf, visible } from './frames.js';
import { dissected } from './wire-view.js';

const b = t.builder;
const field = (label, node) => element('label', {}, element('span', {}, label), node);
const select = (options) => element('select', {}, ...options.map(([value, name]) => element('option', { value }, name)));
function check(label, checked = false) {
  const box = element('input', { type: 'checkbox', checked });
  return { box, label: element('label', { class: 'check' }, box, ' ', label) };
}

/** Sends the command `try`. Rejects with a sentence. */
function tryFrames(command) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(chatUrl(document.baseURI));
    const fail = () => reject(new Error(t.connection.unreachable));
    const timer = setTimeout(fail, 10_000);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'try', id: 1, ...command }));
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.id !== 1) return;
      clearTimeout(timer);
      socket.onclose = null;
      socket.close(1000);
      if (event.type === 'tried') resolve(event);
      else reject(new Error(event.code === 'unknown_type' ? t.chat.wireOff : event.message));
    };
    socket.onclose = fail;
  });
}

function verdict({ outcome, violation, message, answer }) {
  const nodes = [violation ? element('p', { class: 'wrong' }, b.violation(violation)) : element('p', { class: 'right' }, b.outcomes[outcome])];
  if (message) {
    const bytes = bytesOf(message.bytes);
    const text = textOf(bytes);
    const shown = text === null ? hexOf(bytes) : visible(text);
    nodes.push(element('p', {}, b.received(message.opcode, message.length), element('code', {}, shown)));
  }
  if (answer) nodes.push(element('p', {}, b.reply, element('code', {}, answer)));
  return nodes;
}

export function frameBuilder() {
  const preset = select([['', b.choose], ...PRESETS.map(([name], index) => [index, name])]);
  const opcode = select([...Object.entries(OPCODES).map(([name, value]) => [value, `${value}: ${name}`]), ...[3, 11].map((value) => [value, `${value}: ${b.reserved}`])]);
  opcode.value = '1';
  const [fin, rsv1, rsv2, rsv3, masked] = [check('FIN', true), check('RSV1'), check('RSV2'), check('RSV3'), check('MASK', true)];
  const length = select(['shortest', '16', '64'].map((value) => [value, b.lengths[value]]));
  const payload = element('input', { type: 'text', value: 'Hello', autocomplete: 'off', spellcheck: 'false' });
  const isHex = check(b.isHex);
  const hex = element('textarea', { rows: '3', spellcheck: 'false', autocomplete: 'off' });
  const role = select([['client', b.client], ['server', b.server]]);
  const deflate = check(b.deflate);
  const result = element('div', { class: 'result', role: 'status', 'aria-label': b.result });

  const build = () => {
    const bytes = isHex.box.checked ? bytesOf(payload.value) : bytesOfText(payload.value);
    payload.setAttribute('aria-invalid', String(bytes === null));
    if (!bytes) return;
    hex.value = hexOf(frame({
      opcode: Number(opcode.value), fin: fin.box.checked, rsv1: rsv1.box.checked, rsv2: rsv2.box.checked, rsv3: rsv3.box.checked,
      masked: masked.box.checked, payload: bytes, length: length.value,
    }));
  };
  for (const node of [opcode, length, payload, ...[fin, rsv1, rsv2, rsv3, masked, isHex].map(({ box }) => box)]) node.addEventListener('input', build);
  preset.addEventListener('change', () => {
    if (preset.value !== '') hex.value = hexOf(PRESETS[Number(preset.value)][1]);
  });
  build();

  const form = element('form', {},
    field(b.example, preset),
    element('fieldset', {}, element('legend', {}, b.build), field(b.opcode, opcode),
      element('div', { class: 'checks' }, fin.label, rsv1.label, rsv2.label, rsv3.label, masked.label), field(b.length, length),
      field(b.payload, payload), isHex.label),
    field(b.hex, hex), field(b.sentBy, role), deflate.label,
    element('button', { type: 'submit' }, b.try));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const { steps } = await tryFrames({ frames: hex.value, role: role.value, deflate: deflate.box.checked });
      result.replaceChildren(...steps.flatMap((step, index) => [
        element('h3', {}, steps.length > 1 ? b.frame(index + 1) : b.verdict), ...verdict(step), ...dissected(step.bytes, step.frame),
      ]));
    } catch (error) {
      result.replaceChildren(element('p', { class: 'wrong' }, error.message));
    }
  });
  return element('details', { class: 'trial' }, element('summary', {}, b.title), form, result);
}
