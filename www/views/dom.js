// Nodes of the page, built without markup: text goes in as text, whatever it holds.
//
// Not here: what is shown (join.js, sidebar.js, feed.js, composer.js).

/** Makes an element. `attributes` become attributes (true: present, false, null or undefined: absent), `on…` listeners. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else set(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets or removes one attribute, and leaves alone what is so already: less for the browser and for a screen reader to do. */
export function set(node, name, value) {
  if (value === false || value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? '' : value)) node.setAttribute(name, value === true ? '' : value);
}

/** The text of a node; the same text again changes nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Text for those who listen instead of looking. */
export const spoken = (text) => element('span', { class: 'spoken' }, text);

/** An element of `index.html`. Its ids have a colon, which no channel's name has: an address `#feed` must not scroll to one. */
export const byId = (name) => document.getElementById(`p:${name}`);

/**
 * Keeps a parent's children in step with a list of rows, each with a `key`. Nodes that stay are not touched or moved, so that
 * focus and selection survive, and a log announces only what is new.
 */
export class Keyed {
  #parent; #make; #update; #nodes = new Map();

  /** `make(row)` gives a node; `update(node, row)` brings it up to date, also the first time. */
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
      if (!node) {
        node = this.#make(row);
        this.#nodes.set(row.key, node);
      }
      this.#update(node, row);
      if (node === place) place = place.nextSibling;
      else this.#parent.insertBefore(node, place);
    }
  }
}
