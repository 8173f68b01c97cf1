// The wire view: a list of what passed, and one of it taken apart. It is given traces and shows them; where they come from is
// not its business.
//
// Not here: the page /wire (wire.js), the panel of the chat (wire-panel.js), frames made by hand (trial.js), what is where in a
// frame (frames.js).

import { OPCODES, bytesOf, cells, dump, hexOf, masking, summary, textOf, visible } from './frames.js';
import { element, set, setText } from '../views/dom.js';

/** Frames that are kept; the oldest go first. */
const KEPT = 500;

const code = (...children) => element('code', {}, ...children);
const heading = (text) => element('h3', {}, text);

/** A switch that says what it is by `aria-pressed`. */
function toggle(text, changed) {
  const button = element('button', { type: 'button', 'aria-pressed': 'false' }, text);
  button.addEventListener('click', () => {
    const on = button.getAttribute('aria-pressed') !== 'true';
    set(button, 'aria-pressed', String(on));
    changed(on);
  });
  return button;
}

export function copyButton(text, bytes) {
  const button = element('button', { type: 'button' }, text);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(bytes());
      setText(button, 'Copied');
    } catch {
      setText(button, 'Not allowed here');
    }
    setTimeout(() => setText(button, text), 1500);
  });
  return button;
}

/** A frame taken apart: bit diagram, fields, hex dump. `bytes` is hex, `frame` the server's dissection. */
export function dissected(bytes, frame) {
  const all = bytesOf(bytes);
  const parts = frame.fields.map(() => []);
  const mark = (index, on) => index !== undefined && parts[index].forEach((node) => node.classList.toggle('marked', on));
  const belongs = (node, index) => {
    parts[index].push(node);
    node.classList.add(`part-${index % 6}`);
    for (const [event, on] of [['mouseenter', true], ['mouseleave', false], ['focus', true], ['blur', false]]) node.addEventListener(event, () => mark(index, on));
    return node;
  };
  const diagram = element('div', { class: 'bits', role: 'img', 'aria-label': 'The bits of the frame, in rows of 32. Its fields are listed below.' });
  for (let column = 0; column < 32; column += 1) diagram.append(element('span', { class: 'ruler' }, String(column % 10)));
  for (const cell of cells(frame.fields, all)) {
    const node = element('span', { class: cell.width < 4 ? 'cell narrow' : 'cell', title: cell.name },
      element('b', {}, cell.first ? cell.name : '…'), element('i', {}, `${cell.text}${cell.continued ? ' …' : ''}`));
    node.style.gridColumn = `${cell.column + 1} / span ${cell.width}`;
    node.style.gridRow = String(cell.row + 2);
    diagram.append(belongs(node, cell.index));
  }
  const fields = element('ul', { class: 'fields', 'aria-label': 'Fields' });
  frame.fields.forEach((field, index) => {
    const where = field.to - field.from === 1 ? `byte ${field.from}` : `bytes ${field.from} to ${field.to - 1}`;
    const row = element('button', { type: 'button', class: 'field' },
      element('b', {}, field.name), ' ', field.bits.length > 32 || field.bits.length < 2 ? null : code(field.bits),
      element('span', {}, field.meaning || `${field.to - field.from} bytes`), element('small', {}, where));
    fields.append(element('li', {}, belongs(row, index)));
  });
  const width = matchMedia('(min-width: 30rem)').matches ? 16 : 8;
  const rows = element('div', { class: 'dump', role: 'group', 'aria-label': 'Bytes in hex' });
  for (const row of dump(all, frame.fields, width)) {
    const hex = element('span', { class: 'hex' });
    for (const byte of row) {
      const node = element('span', {}, byte.hex);
      // A byte of several fields is marked with each of them, and leads to the first.
      byte.fields.forEach((index) => parts[index].push(node));
      node.addEventListener('mouseenter', () => mark(byte.fields[0], true));
      node.addEventListener('mouseleave', () => mark(byte.fields[0], false));
      hex.append(node, ' ');
    }
    rows.append(element('span', { class: 'offset' }, row[0].at.toString(16).padStart(4, '0')), hex,
      element('span', { class: 'letters', 'aria-hidden': 'true' }, row.map(({ letter }) => letter).join('')));
  }
  return [heading('Bit by bit (RFC 6455 §5.2)'), diagram, fields, heading('Bytes'), rows];
}

function payload(label, hex, length) {
  const bytes = bytesOf(hex);
  const text = textOf(bytes);
  const more = length > bytes.length ? `, the first ${bytes.length}` : '';
  return [heading(`${label}: ${length} bytes${more}`), element('pre', { dir: 'auto' }, text === null ? hexOf(bytes) : text)];
}

function frameDetails(trace) {
  const { frame } = trace;
  const from = trace.direction === 'in' ? 'from the client to the server' : 'from the server to the client';
  const nodes = [element('p', {}, `Frame ${trace.n}, ${from}: ${frame.opcode ?? 'unreadable'}, ${trace.length} bytes`
    + `${trace.cut ? `, of which the first ${trace.length - trace.cut} are shown` : ''}.`)];
  if (frame.violation) nodes.push(element('p', { class: 'wrong' }, frame.violation));
  nodes.push(...dissected(trace.bytes, frame));
  const steps = masking(trace);
  if (steps.length > 0) {
    const table = element('table', { class: 'masking' }, element('caption', {}, 'Each byte of the payload is XORed with one of the key (§5.3)'));
    ['sent', 'key', 'plain', ''].forEach((name, column) => {
      const row = element('tr', {}, element('th', { scope: 'row' }, name || 'letter'));
      steps.forEach((step) => row.append(element('td', {}, step[column])));
      table.append(row);
    });
    nodes.push(heading('Unmasked'), element('div', { class: 'scroll' }, table));
  }
  if (frame.close) nodes.push(heading('Close'), element('p', {}, summary(trace)));
  else if (frame.payload) nodes.push(...payload(frame.rsv1 ? 'Payload, compressed' : 'Payload', frame.payload, frame.payload_length));
  if (trace.inflated) nodes.push(...payload('The message, inflated (RFC 7692)', trace.inflated.bytes, trace.inflated.length));
  return nodes;
}

function handshakeDetails({ handshake }) {
  const head = (name, { lines }) => [heading(name), element('ol', { class: 'lines' }, ...lines.map(({ text, section, purpose }) =>
    element('li', {}, code(visible(text)), purpose ? element('span', {}, `${purpose} (${section})`) : null)))];
  const { key, guid, sha1, value } = handshake.accept;
  return [
    element('p', {}, 'The opening handshake: a request of HTTP asks to go on in another protocol, and the answer proves that it was understood.'),
    ...head('The request', handshake.request), ...head('The response', handshake.response),
    heading('How Sec-WebSocket-Accept is made (RFC 6455 §4.2.2, 5.4)'),
    element('ol', { class: 'steps' },
      element('li', {}, 'the key of the request', code(key)),
      element('li', {}, 'with the GUID of the standard behind it', code(`${key}${guid}`)),
      element('li', {}, 'of that the SHA-1, 20 bytes in hex', code(sha1)),
      element('li', {}, 'of those 20 bytes base64', code(value))),
  ];
}

export class WireView {
  #traces = []; #waiting = []; #paused = false; #only = 'all'; #chosen = null;
  #list = element('ul', { class: 'frames', 'aria-label': 'Frames' });
  #details = element('section', { class: 'details', 'aria-label': 'What was chosen', tabindex: '-1' });
  #status = element('p', { class: 'status', role: 'status' });

  /** Builds itself into `root`; `controls` stand before its own. */
  constructor(root, ...controls) {
    const filter = element('select', { 'aria-label': 'Show' }, element('option', { value: 'all' }, 'All frames'),
      ...Object.keys(OPCODES).map((name) => element('option', { value: name }, `${name} only`)));
    filter.addEventListener('change', () => {
      this.#only = filter.value;
      this.#show();
    });
    const copy = copyButton('Copy as hex', () => this.#traces.filter((trace) => this.#fits(trace)).map(({ bytes, direction, handshake }) =>
      (handshake ? `${handshake.request.bytes}\n${handshake.response.bytes}` : `${direction} ${bytes}`)).join('\n'));
    const clear = element('button', { type: 'button', onclick: () => this.clear() }, 'Clear');
    const pause = toggle('Pause', (on) => this.#pause(on));
    root.append(element('div', { class: 'bar' }, ...controls, filter, pause, copy, clear), this.#status,
      element('div', { class: 'both' }, this.#list, this.#details));
    this.#list.addEventListener('keydown', (event) => this.#move(event));
    this.clear();
  }

  /** A trace came. */
  add(trace) {
    if (this.#paused) {
      this.#waiting.push(trace);
      if (this.#waiting.length > KEPT) this.#waiting.shift();
      setText(this.#status, `Paused; ${this.#waiting.length} waiting.`);
      return;
    }
    this.#traces.push(trace);
    if (trace.missed) this.#traces.splice(-1, 0, { gap: trace.missed });
    while (this.#traces.length > KEPT) this.#traces.shift();
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    if (this.#fits(trace)) this.#append(trace);
    while (this.#list.children.length > KEPT) this.#list.firstChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    // The first thing to be looked at chooses itself.
    if (!this.#chosen && this.#fits(trace)) this.#choose(trace, this.#list.lastChild?.firstChild);
  }

  /** One line about the connection, between the frames. */
  note(text) {
    this.#list.append(element('li', { class: 'note' }, text));
  }

  clear() {
    this.#traces = [];
    this.#chosen = null;
    this.#list.replaceChildren();
    this.#details.replaceChildren(element('p', {}, 'Choose a frame on the list to see it taken apart.'));
    setText(this.#status, '');
  }

  #fits(trace) {
    return this.#only === 'all' || trace.frame?.opcode === this.#only;
  }

  #append(trace) {
    if (trace.missed) this.#list.append(element('li', { class: 'note' }, `${trace.missed} frames were passed over`));
    const time = new Date(trace.at).toLocaleTimeString('en-GB', { hour12: false });
    const way = trace.direction === 'in' ? ['→', 'in'] : ['←', 'out'];
    const name = trace.handshake ? 'opening handshake' : trace.frame.opcode ?? 'unreadable';
    const words = trace.handshake ? '' : `${trace.length} B`;
    const button = element('button', { type: 'button', class: trace.handshake ? 'frame' : `frame ${way[1]}` },
      trace.handshake ? null : element('span', { class: 'way', title: way[1] }, way[0]), trace.handshake ? null : element('span', { class: 'spoken' }, way[1]),
      element('b', {}, name), element('small', {}, words, ' ', element('time', {}, time)),
      trace.handshake ? null : element('span', { class: 'said', dir: 'auto' }, summary(trace)));
    button.addEventListener('click', () => this.#choose(trace, button));
    this.#list.append(element('li', {}, button));
  }

  #choose(trace, button) {
    this.#chosen = trace;
    for (const other of this.#list.querySelectorAll('[aria-current]')) set(other, 'aria-current', null);
    if (button) set(button, 'aria-current', 'true');
    const bytes = () => (trace.handshake ? `${trace.handshake.request.bytes}\n${trace.handshake.response.bytes}` : trace.bytes);
    this.#details.replaceChildren(copyButton('Copy this as hex', bytes), ...(trace.handshake ? handshakeDetails(trace) : frameDetails(trace)));
    this.#details.scrollTop = 0;
  }

  #move(event) {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const buttons = [...this.#list.querySelectorAll('button')];
    const next = buttons[buttons.indexOf(document.activeElement) + (event.key === 'ArrowDown' ? 1 : -1)];
    event.preventDefault();
    next?.focus();
    next?.click();
  }

  #pause(on) {
    this.#paused = on;
    setText(this.#status, on ? 'Paused; 0 waiting.' : '');
    if (on) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const trace of waiting) this.add(trace);
  }

  #show() {
    this.#list.replaceChildren();
    for (const trace of this.#traces) if (!trace.gap && this.#fits(trace)) this.#append(trace);
  }
}
