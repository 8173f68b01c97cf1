// The wire view: a list of frames, and one of them in detail. It shows the traces that it is given.

import { t } from '../texts/language.js';
import { button, copyText, element, set, setText } from '../views/dom.js';
import { OPCODES, bytesOf, cells, dump, hexLines, hexOf, masking, summary, textOf, visible } from './frames.js';

/** The number of frames that are kept; the oldest are dropped first. */
const KEPT = 500;

const w = t.wire;
/** What the server's own sentences, which are English, need on a page in another language. */
const english = { lang: 'en', dir: 'auto' };
const code = (...children) => element('code', {}, ...children);
const heading = (text) => element('h3', {}, text);

function copyButton(label, text) {
  const copy = button({
    onclick: () => {
      setText(copy, copyText(text()) ? w.copied : w.cantCopy);
      setTimeout(() => setText(copy, label), 1500);
    },
  }, label);
  return copy;
}

/**
 * A frame in detail: bit diagram, fields, hex dump. `bytes` is hex, `frame` the server's
 * dissection. The parts of a field (`data-field`) are marked together while one of them has the
 * pointer or the focus.
 */
export function dissected(bytes, frame) {
  const all = bytesOf(bytes);
  const root = element('div', {}, heading(w.bits), bitDiagram(frame, all), fieldList(frame),
    heading(w.bytes), hexDump(frame, all));
  const mark = ({ type, target }) => {
    const part = (type !== 'focusout' && target.closest('[data-field]'))
      || root.querySelector('[data-field]:focus');
    const field = part?.dataset.field.split(' ')[0];
    for (const node of root.querySelectorAll('[data-field]')) {
      node.classList.toggle('marked', node.dataset.field.split(' ').includes(field));
    }
  };
  for (const type of ['mouseover', 'mouseleave', 'focusin', 'focusout'])
    root.addEventListener(type, mark);
  return root;
}

function bitDiagram({ fields }, bytes) {
  const ruler = Array.from({ length: 32 },
    (_, column) => element('span', { class: 'ruler' }, String(column % 10)));
  const drawn = cells(fields, bytes).map(
    ({ index, name, first, row, column, width, text, continued }) => {
      const node = element('span', {
        class: `cell part-${index % 6}`,
        'data-field': index,
        title: name,
      }, element('b', {}, first ? name : '…'), element('i', {}, `${text}${continued ? ' …' : ''}`));
      node.classList.toggle('narrow', width < 4);
      node.style.gridArea = `${row + 2} / ${column + 1} / auto / span ${width}`;
      return node;
    },
  );
  return element('div', { class: 'bits', role: 'img', 'aria-label': w.bitsLabel }, ...ruler,
    ...drawn);
}

function fieldList({ fields }) {
  const rows = fields.map(({ name, bits, meaning, from, to }, index) =>
    element('li', {}, button(
      { class: `field part-${index % 6}`, 'data-field': index },
      element('b', english, name),
      ' ',
      bits.length > 32 || bits.length < 2 ? null : code(bits),
      element('span', meaning ? english : {}, meaning || w.size(to - from)),
      element('small', {}, w.byteRange(from, to)),
    ))
  );
  return element('ul', { class: 'fields', 'aria-label': w.fields }, ...rows);
}

function hexDump({ fields }, bytes) {
  const width = matchMedia('(min-width: 30rem)').matches ? 16 : 8;
  const digits = (
    byte,
  ) => [element('span', { 'data-field': byte.fields.join(' ') }, byte.hex), ' '];
  const rows = dump(bytes, fields, width).flatMap((row, index) => [
    element('span', { class: 'offset' }, (index * width).toString(16).padStart(4, '0')),
    element('span', { class: 'hex' }, ...row.flatMap(digits)),
    element('span', { class: 'letters', 'aria-hidden': 'true' },
      row.map(({ letter }) => letter).join('')),
  ]);
  return element('div', { class: 'dump', role: 'group', 'aria-label': w.bytesLabel }, ...rows);
}

function payload(label, hex, length) {
  const bytes = bytesOf(hex);
  const text = textOf(bytes);
  return [
    heading(w.part(label, length, bytes.length)),
    element('pre', { dir: 'auto' }, text === null ? hexOf(bytes) : text),
  ];
}

function frameDetails(trace) {
  const { frame } = trace;
  const opcode = frame.opcode ?? w.unreadable;
  const nodes = [
    element('p', {},
      w.frame(trace.n, trace.direction === 'in', opcode, trace.length,
        trace.length - (trace.cut ?? 0))),
  ];
  if (frame.violation) nodes.push(element('p', { class: 'wrong', ...english }, frame.violation));
  nodes.push(dissected(trace.bytes, frame));
  const steps = masking(trace);
  if (steps.length > 0) {
    const rows = w.maskingRows.map((name, column) =>
      element('tr', {}, element('th', { scope: 'row' }, name), ...steps.map((step) =>
        element('td', {}, step[column])
      ))
    );
    const table = element('table', { class: 'masking' }, element('caption', {}, w.masking),
      ...rows);
    nodes.push(heading(w.unmasked), element('div', { class: 'scroll' }, table));
  }
  if (frame.close) nodes.push(heading(w.closeFrame), element('p', english, summary(trace)));
  else if (frame.payload)
    nodes.push(
      ...payload(frame.rsv1 ? w.compressed : w.payload, frame.payload, frame.payload_length),
    );
  if (trace.inflated)
    nodes.push(...payload(w.inflated, trace.inflated.bytes, trace.inflated.length));
  return nodes;
}

function handshakeDetails({ handshake }) {
  const { key, guid, sha1, value } = handshake.accept;
  const lines = ({ lines: all }) =>
    element('ol', { class: 'lines' }, ...all.map(({ text, section, purpose }) => (
      element('li', {}, code(visible(text)),
        purpose ? element('span', english, `${purpose} (${section})`) : null)
    )));
  const steps = [key, `${key}${guid}`, sha1, value].map((text, index) =>
    element('li', {}, w.accept[index], code(text))
  );
  return [
    element('p', {}, w.handshakeIntro),
    heading(w.request),
    lines(handshake.request),
    heading(w.response),
    lines(handshake.response),
    heading(w.acceptTitle),
    element('ol', { class: 'steps' }, ...steps),
  ];
}

export class WireView {
  #entries = [];
  #paused = false;
  #waiting = 0;
  #only = 'all';
  #selected = null;
  #list = element('ul', { class: 'frames', 'aria-label': w.frames });
  #details = element('section', { class: 'details', 'aria-label': w.details, tabindex: '-1' });
  #status = element('p', { class: 'status', role: 'status' });

  /** Builds itself into `root`; `controls` come before its own. */
  constructor(root, ...controls) {
    const filter = element('select', { 'aria-label': w.show },
      element('option', { value: 'all' }, w.all),
      ...Object.keys(OPCODES).map((name) => element('option', { value: name }, w.only(name))));
    filter.addEventListener('change', () => {
      this.#only = filter.value;
      this.#redraw();
    });
    const copy = copyButton(w.copy, () => hexLines(this.#shown().filter(({ note }) => !note)));
    const pause = button({
      'aria-pressed': 'false',
      onclick: () => this.#setPaused(pause, !this.#paused),
    }, w.pause);
    const bar = [
      ...controls,
      filter,
      pause,
      copy,
      button({ onclick: () => this.clear() }, w.clear),
    ];
    root.append(element('div', { class: 'bar' }, ...bar), this.#status,
      element('div', { class: 'both' }, this.#list, this.#details));
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
    this.clear();
  }

  /** Adds a trace. */
  add(trace) {
    this.#entries.push(trace);
    if (this.#entries.length > KEPT) this.#entries.shift();
    if (this.#paused && !trace.note) return setText(this.#status, w.paused(this.#waiting += 1));
    if (!this.#fits(trace)) return undefined;
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    this.#append(trace);
    while (this.#list.children.length > KEPT) this.#list.firstChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    if (!this.#selected && !trace.note) this.#select(trace, this.#list.lastChild.firstChild);
    return undefined;
  }

  /** Adds a line about the connection. */
  note(text) {
    this.add({ note: text });
  }

  clear() {
    this.#entries = [];
    this.#selected = null;
    this.#waiting = 0;
    this.#redraw();
    this.#details.replaceChildren(element('p', {}, w.select));
    setText(this.#status, '');
  }

  #fits(trace) {
    return this.#only === 'all' || trace.note || trace.frame?.opcode === this.#only;
  }

  #shown() {
    return this.#entries.filter((trace) => this.#fits(trace));
  }

  #redraw() {
    this.#list.replaceChildren();
    for (const trace of this.#shown()) this.#append(trace);
  }

  #append(trace) {
    if (trace.missed) this.#line(w.skipped(trace.missed));
    if (trace.note) return this.#line(trace.note);
    const time = element('time', {},
      new Date(trace.at).toLocaleTimeString('en-GB', { hour12: false }));
    const [arrow, way, from] = trace.direction === 'in' ? ['→', 'in', w.in] : ['←', 'out', w.out];
    const parts = trace.handshake ? [element('b', {}, w.handshake), element('small', {}, time)] : [
      element('span', { class: 'way', title: from }, arrow),
      element('span', { class: 'spoken' }, from),
      element('b', {}, trace.frame.opcode ?? w.unreadable),
      element('small', { dir: 'ltr' }, `${trace.length} B `, time),
      element('span', { class: 'said', dir: 'auto' }, summary(trace)),
    ];
    const entry = button({
      class: trace.handshake ? 'frame' : `frame ${way}`,
      onclick: () => this.#select(trace, entry),
    }, ...parts);
    if (trace === this.#selected) set(entry, 'aria-current', 'true');
    return this.#list.append(element('li', {}, entry));
  }

  #line(text) {
    this.#list.append(element('li', { class: 'note' }, text));
  }

  #select(trace, entry) {
    this.#selected = trace;
    for (const other of this.#list.querySelectorAll('[aria-current]'))
      set(other, 'aria-current', null);
    set(entry, 'aria-current', 'true');
    const details = trace.handshake ? handshakeDetails(trace) : frameDetails(trace);
    this.#details.replaceChildren(
      copyButton(w.copyThis, () => hexLines([trace]).replace(/^(?:in|out) /, '')),
      ...details,
    );
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
    this.#waiting = 0;
    set(pause, 'aria-pressed', String(paused));
    setText(this.#status, paused ? w.paused(0) : '');
    if (paused) return;
    this.#redraw();
    this.#list.scrollTop = this.#list.scrollHeight;
    if (!this.#selected) this.#list.querySelector('button')?.click();
  }
}
