// Building and updating nodes without markup: text goes in as text, whatever it holds.

/**
 * Makes an element. `attributes` become attributes (true: present; false, null, undefined: absent),
 * `on…` listeners.
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else set(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * The build of the page, which names the folder of its files; null where they come from `--www`.
 */
export const BUILD = /\/([0-9a-f]{16})\/[^/]+\/[^/]+$/.exec(import.meta.url)?.[1] ?? null;

/**
 * The address of a file of the page, beside this module: in the folder of the build, if there is
 * one.
 */
export const fileUrl = (name) => new URL(`../${name}`, import.meta.url).href;

/**
 * Loads a style sheet that the page doesn't start with. Rejects if it can't be loaded; then it may
 * be tried again.
 */
export const loadStyles = (name) =>
  new Promise((onload, reject) => {
    const onerror = ({ target }) => {
      target.remove();
      reject(new Error(`${name} can't be loaded`));
    };
    document.head.append(
      element('link', {
        rel: 'stylesheet',
        href: fileUrl(name),
        'data-later': true,
        onload,
        onerror,
      }),
    );
  });

/** Makes a button that isn't a form's submit button. */
export const button = (attributes, ...children) =>
  element('button', { type: 'button', ...attributes }, ...children);

/** An icon of `index.html`; its meaning is in the text or the label beside it. */
export function icon(name, className = null) {
  const [svg, use] = ['svg', 'use'].map((tag) =>
    document.createElementNS('http://www.w3.org/2000/svg', tag)
  );
  set(svg, 'aria-hidden', 'true');
  set(svg, 'class', className);
  set(use, 'href', `#i:${name}`);
  svg.append(use);
  return svg;
}

/**
 * Sets or removes an attribute; the same value again changes nothing, so that screen readers stay
 * quiet.
 */
export function set(node, name, value) {
  if (value === false || value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? '' : value))
    node.setAttribute(name, value === true ? '' : value);
}

/** Sets the text of a node; the same text again changes nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Copies a text, in the only way that browsers also allow over plain HTTP. Returns whether it was
 * copied.
 */
export function copyText(text) {
  const box = element('textarea', {}, text);
  const before = document.activeElement;
  // a modal dialog has the selection for itself
  (document.querySelector('dialog[open]') ?? document.body).append(box);
  box.select();
  const isCopied = document.execCommand('copy');
  box.remove();
  before?.focus();
  return isCopied;
}

/** Text for screen readers only. */
export const spoken = (text) => element('span', { class: 'spoken' }, text);

/**
 * An element of `index.html`. Ids have a colon, which no channel's name has: an address `#feed`
 * must not scroll to one.
 */
export const byId = (name) => document.getElementById(`p:${name}`);

/**
 * Fills in the texts of an HTML file, named by the attributes data-text, data-label, data-title and
 * data-placeholder.
 */
export function fillTexts(texts) {
  for (const node of document.querySelectorAll(
    '[data-text], [data-label], [data-title], [data-placeholder]',
  )) {
    const { text, label, title, placeholder } = node.dataset;
    if (text) node.textContent = texts[text];
    if (label) node.setAttribute('aria-label', texts[label]);
    if (title) node.title = texts[title];
    if (placeholder) node.placeholder = texts[placeholder];
  }
}

/**
 * Keeps a parent's children in step with a list of rows, each with a `key`. Nodes that stay are
 * neither touched nor moved, so that focus and selection survive, and a live region announces only
 * what is new.
 */
export class Keyed {
  #parent;
  #make;
  #update;
  #nodes = new Map();

  /** `make(row)` returns a node; `update(node, row)` brings it up to date, also the first time. */
  constructor(parent, make, update) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
  }

  show(rows) {
    const gone = new Map(this.#nodes);
    for (const { key } of rows) gone.delete(key);
    for (const [key, node] of gone) {
      node.remove();
      this.#nodes.delete(key);
    }
    let place = this.#parent.firstChild;
    for (const row of rows) {
      let node = this.#nodes.get(row.key);
      if (!node) this.#nodes.set(row.key, node = this.#make(row));
      this.#update(node, row);
      if (node === place) place = place.nextSibling;
      else this.#parent.insertBefore(node, place);
    }
  }
}
