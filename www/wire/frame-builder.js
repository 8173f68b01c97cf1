// The form that builds frames by hand. The command `try` sends them as hex to a fresh copy of the
// server's WebSocket code, since a page can't send invalid frames itself. Each try has a connection
// of its own.

import { chatUrl } from '../connection/protocol.js';
import { errorText, t } from '../texts/language.js';
import { element, set } from '../views/dom.js';
import { OPCODES, PRESETS, bytesOf, bytesOfText, frame, hexOf, textOf, visible } from './frames.js';
import { dissected } from './wire-view.js';

const b = t.builder;
const field = (label, node) => element('label', {}, element('span', {}, label), node);
const select = (options) =>
  element('select', {}, ...options.map(([value, name]) => element('option', { value }, name)));
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
      else reject(new Error(event.code === 'unknown_type' ? t.chat.wireOff : errorText(event)));
    };
    socket.onclose = fail;
  });
}

function verdict({ outcome, violation, message, answer }) {
  const bytes = message && bytesOf(message.bytes);
  const text = message && textOf(bytes);
  const line = (label, value) => element('p', {}, label, element('code', {}, value));
  return [
    element('p', { class: violation ? 'wrong' : 'right' },
      violation ? b.violation(violation) : b.outcomes[outcome]),
    message
    && line(b.received(message.opcode, message.length),
      text === null ? hexOf(bytes) : visible(text)),
    answer && line(b.reply, answer),
  ].filter(Boolean);
}

export function frameBuilder() {
  const preset = select([
    ['', b.choose],
    ...PRESETS.map(([name], index) => [index, b.examples[name]]),
  ]);
  const names = [...Object.entries(OPCODES), [b.reserved, 3], [b.reserved, 11]];
  const opcode = select(names.map(([name, value]) => [value, `${value}: ${name}`]));
  opcode.value = '1';
  const bits = {
    fin: check('FIN', true),
    rsv1: check('RSV1'),
    rsv2: check('RSV2'),
    rsv3: check('RSV3'),
    masked: check('MASK', true),
  };
  const length = select(['shortest', '16', '64'].map((value) => [value, b.lengths[value]]));
  const payload = element('input', {
    type: 'text',
    value: 'Hello',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const isHex = check(b.isHex);
  const hex = element('textarea', { rows: '3', spellcheck: 'false', autocomplete: 'off' });
  const role = select([['client', b.client], ['server', b.server]]);
  const deflate = check(b.deflate);
  const result = element('div', { class: 'result', role: 'status', 'aria-label': b.result });

  const build = () => {
    const bytes = isHex.box.checked ? bytesOf(payload.value) : bytesOfText(payload.value);
    set(payload, 'aria-invalid', String(bytes === null));
    const made = { opcode: Number(opcode.value), length: length.value, payload: bytes };
    for (const [name, { box }] of Object.entries(bits)) made[name] = box.checked;
    if (bytes) hex.value = hexOf(frame(made));
  };
  preset.addEventListener('change', () => {
    if (preset.value !== '') hex.value = hexOf(PRESETS[Number(preset.value)][1]);
  });
  const checks = element('div', { class: 'checks' },
    ...Object.values(bits).map(({ label }) => label));
  const fieldset = element('fieldset', {}, element('legend', {}, b.build), field(b.opcode, opcode),
    checks, field(b.length, length), field(b.payload, payload), isHex.label);
  fieldset.addEventListener('input', build);
  build();

  const form = element('form', {}, field(b.example, preset), fieldset, field(b.hex, hex),
    field(b.sentBy, role), deflate.label, element('button', { type: 'submit' }, b.try));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const { steps } = await tryFrames({
        frames: hex.value,
        role: role.value,
        deflate: deflate.box.checked,
      });
      result.replaceChildren(...steps.flatMap((step, index) => [
        element('h3', {}, steps.length > 1 ? b.frame(index + 1) : b.verdict),
        ...verdict(step),
        dissected(step.bytes, step.frame),
      ]));
    } catch (error) {
      result.replaceChildren(element('p', { class: 'wrong' }, error.message));
    }
  });
  return element('details', { class: 'trial' }, element('summary', {}, b.title), form, result);
}
