// The wire view: a list of frames, and one of them in detail. It shows the traces that it is given.

import { t } from '../texts/en.js';
import { button, element, set, setText } from '../views/dom.js';
import { OPCODES, bytesOf, cells, dump, hexLines, hexOf, masking, summary, textOf, visible } from './frames.js';

/** How many frames are kept; the oldest go first. */
const KEPT = 500;

const w = t.wire;
const code = (...children) => element('code', {}, ...children);
const heading = (text) => element('h3', {}, text);

function copyButton(label, text) {
  const copy = button({}, label);
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      setText(copy, w.copied);
    } catch {
      setText(copy, w.cantCopy);
    }
    setTimeout(() => setText(copy, label), 1500);
  });
  return copy;
}

/** A frame in detail: bit diagram, fields, hex dump. `bytes` is hex, `frame` the server's dissection. */
export function dissected(bytes, frame) {
  const all = bytesOf(bytes);
  const parts = frame.fields.map(() => []); // the nodes of each field, which are marked together
  const mark = (index, on) => index !== undefined && parts[index].forEach((node) => node.classList.toggle('marked', on));
  const marks = (node, index) => {
    node.addEventListener('mouseenter', () => mark(index, true));
    node.addEventListener('mouseleave', () => mark(index, false));
    node.addEventListener('focus', () => mark(index, true));
    node.addEventListener('blur', () => mark(index, false));
    return node;
  };
  const part = (node, index) => {
    parts[index].push(node);
    node.classList.add(`part-${index % 6}`);
    return marks(node, index);
  };
  return [heading(w.bits), bitDiagram(frame, all, part), fieldList(frame, part), heading(w.bytes), hexDump(frame, all, parts, marks)];
}

function bitDiagram({ fields }, bytes, part) {
  const ruler = Array.from({ length: 32 }, (_, column) => element('span', { class: 'ruler' }, String(column % 10)));
  const drawn = cells(fields, bytes).map((cell) => {
    const node = element('span', { class: cell.width < 4 ? 'cell narrow' : 'cell', title: cell.name },
      element('b', {}, cell.first ? cell.name : '…'), element('i', {}, `${cell.text}${cell.continued ? ' …' : ''}`));
    node.style.gridColumn = `${cell.column + 1} / span ${cell.width}`;
    node.style.gridRow = String(cell.row + 2);
    return part(node, cell.index);
  });
  return element('div', { class: 'bits', role: 'img', 'aria-label': w.bitsLabel }, ...ruler, ...drawn);
}

function fieldList({ fields }, part) {
  const rows = fields.map((field, index) => part(button({ class: 'field' },
    element('b', {}, field.name), ' ', field.bits.length > 32 || field.bits.length < 2 ? null : code(field.bits),
    element('span', {}, field.meaning || w.size(field.to - field.from)), element('small', {}, w.byteRange(field.from, field.to))), index));
  return element('ul', { class: 'fields', 'aria-label': w.fields }, ...rows.map((row) => element('li', {}, row)));
}

function hexDump({ fields }, bytes, parts, marks) {
  const width = matchMedia('(min-width: 30rem)').matches ? 16 : 8;
  const rows = dump(bytes, fields, width).flatMap((row) => {
    const digits = row.flatMap((byte) => {
      // A byte of several fields is marked with each of them, and marks the first.
      const node = marks(element('span', {}, byte.hex), byte.fields[0]);
      for (const index of byte.fields) parts[index].push(node);
      return [node, ' '];
    });
    const letters = row.map(({ letter }) => letter).join('');
    return [element('span', { class: 'offset' }, row[0].at.toString(16).padStart(4, '0')), element('span', { class: 'hex' }, ...digits),
      element('span', { class: 'letters', 'aria-hidden': 'true' }, letters)];
  });
  return element('div', { class: 'dump', role: 'group', 'aria-label': w.bytesLabel }, ...rows);
}

function payload(label, hex, length) {
  const bytes = bytesOf(hex);
  const text = textOf(bytes);
  return [heading(w.part(label, length, bytes.length)), element('pre', { dir: 'auto' }, text === null ? hexOf(bytes) : text)];
}

function frameDetails(trace) {
  const { frame } = trace;
  const opcode = frame.opcode ?? w.unreadable;
  const nodes = [element('p', {}, w.frame(trace.n, trace.direction === 'in', opcode, trace.length, trace.length - (trace.cut ?? 0)))];
  if (frame.violation) nodes.push(element('p', { class: 'wrong' }, frame.violation));
  nodes.push(...dissected(trace.bytes, frame));
  const steps = masking(trace);
  if (steps.length > 0) {
    const rows = w.maskingRows.map((name, column) => element('tr', {}, element('th', { scope: 'row' }, name),
      ...steps.map((step) => element('td', {}, step[column]))));
    const table = element('table', { class: 'masking' }, element('caption', {}, w.masking), ...rows);
    nodes.push(heading(w.unmasked), element('div', { class: 'scroll' }, table));
  }
  if (frame.close) nodes.push(heading(w.closeFrame), element('p', {}, summary(trace)));
  else if (frame.payload) nodes.push(...payload(frame.rsv1 ? w.compressed : w.payload, frame.payload, frame.payload_length));
  if (trace.inflated) nodes.push(...payload(w.inflated, trace.inflated.bytes, trace.inflated.length));
  return nodes;
}

function handshakeDetails({ handshake }) {
  const { key, guid, sha1, value } = handshake.accept;
  const lines = ({ lines: all }) => element('ol', { class: 'lines' }, ...all.map(({ text, section, purpose }) => (
    element('li', {}, code(visible(text)), purpose ? element('span', {}, `${purpose} (${section})`) : null))));
  const steps = [key, `${key}${guid}`, sha1, value].map((text, index) => element('li', {}, w.accept[index], code(text)));
  return [
    element('p', {}, w.handshakeIntro), heading(w.request), lines(handshake.request), heading(w.response), lines(handshake.response),
    heading(w.acceptTitle), element('ol', { class: 'steps' }, ...steps),
  ];
}

export class WireView {
  #traces = []; #waiting = []; #paused = false; #only = 'all'; #selected = null;
  #list = element('ul', { class: 'frames', 'aria-label': w.frames });
  #details = element('section', { class: 'details', 'aria-label': w.details, tabindex: '-1' });
  #status = element('p', { class: 'status', role: 'status' });

  /** Builds itself into `root`; `controls` come before its own. */
  constructor(root, ...controls) {
    const filter = element('select', { 'aria-label': w.show }, element('option', { value: 'all' }, w.all),
      ...Object.keys(OPCODES).map((name) => element('option', { value: name }, w.only(name))));
    filter.addEventListener('change', () => {
      this.#only = filter.value;
      this.#list.replaceChildren();
      for (const trace of this.#shown()) this.#append(trace);
    });
    const copy = copyButton(w.copy, () => hexLines(this.#shown()));
    const pause = button({ 'aria-pressed': 'false', onclick: () => this.#setPaused(pause, !this.#paused) }, w.pause);
    root.append(element('div', { class: 'bar' }, ...controls, filter, pause, copy, button({ onclick: () => this.clear() }, w.clear)),
      this.#status, element('div', { class: 'both' }, this.#list, this.#details));
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
    this.clear();
  }

  /** Adds a trace. */
  add(trace) {
    if (this.#paused) {
      this.#waiting.push(trace);
      if (this.#waiting.length > KEPT) this.#waiting.shift();
      setText(this.#status, w.paused(this.#waiting.length));
      return;
    }
    this.#traces.push(trace);
    if (this.#traces.length > KEPT) this.#traces.shift();
    if (!this.#fits(trace)) return;
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    this.#append(trace);
    while (this.#list.children.length > KEPT) this.#list.firstChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    if (!this.#selected) this.#select(trace, this.#list.lastChild.firstChild);
  }

  /** Adds a line about the connection. */
  note(text) {
    this.#list.append(element('li', { class: 'note' }, text));
  }

  clear() {
    this.#traces = [];
    this.#selected = null;
    this.#list.replaceChildren();
    this.#details.replaceChildren(element('p', {}, w.select));
    setText(this.#status, '');
  }

  #fits(trace) {
    return this.#only === 'all' || trace.frame?.opcode === this.#only;
  }

  #shown() {
    return this.#traces.filter((trace) => this.#fits(trace));
  }

  #append(trace) {
    if (trace.missed) this.note(w.skipped(trace.missed));
    const time = element('time', {}, new Date(trace.at).toLocaleTimeString('en-GB', { hour12: false }));
    const [arrow, way] = trace.direction === 'in' ? ['→', 'in'] : ['←', 'out'];
    const parts = trace.handshake ? [element('b', {}, w.handshake), element('small', {}, time)] : [
      element('span', { class: 'way', title: way }, arrow), element('span', { class: 'spoken' }, way),
      element('b', {}, trace.frame.opcode ?? w.unreadable), element('small', {}, `${trace.length} B `, time),
      element('span', { class: 'said', dir: 'auto' }, summary(trace))];
    const entry = button({ class: trace.handshake ? 'frame' : `frame ${way}`, onclick: () => this.#select(trace, entry) }, ...parts);
    this.#list.append(element('li', {}, entry));
  }

  #select(trace, entry) {
    this.#selected = trace;
    for (const other of this.#list.querySelectorAll('[aria-current]')) set(other, 'aria-current', null);
    set(entry, 'aria-current', 'true');
    const details = trace.handshake ? handshakeDetails(trace) : frameDetails(trace);
    this.#details.replaceChildren(copyButton(w.copyThis, () => hexLines([trace]).replace(/^(?:in|out) /, '')), ...details);
    this.#details.scrollTop = 0;
  }

  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const entries = [...this.#list.querySelectorAll('button')];
    const next = entries[entries.indexOf(document.activeElement) + step];
    event.preventDefault();
    next?.focus();
    next?.click();
  }

  #setPaused(pause, paused) {
    this.#paused = paused;
    set(pause, 'aria-pressed', String(paused));
    setText(this.#status, paused ? w.paused(0) : '');
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!paused) for (const trace of waiting) this.add(trace);
  }
}
