// The outbox of a tab: kept over its reload, taken over when it is gone, never shared.

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** What a browser keeps for all tabs, and for one. */
class Store {
  constructor() {
    return new Proxy(this, { ownKeys: () => [...map.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) });
  }
}
const map = new Map();
Object.assign(Store.prototype, { getItem: (key) => map.get(key) ?? null, setItem: (key, text) => map.set(key, text), removeItem: (key) => map.delete(key) });

const own = new Map();
globalThis.location = { href: 'http://localhost/' };
globalThis.localStorage = new Store();
globalThis.sessionStorage = { getItem: (key) => own.get(key) ?? null, setItem: (key, text) => own.set(key, text), removeItem: (key) => own.delete(key) };
let listeners = new Map();
globalThis.addEventListener = (name, act) => listeners.set(name, act);
globalThis.setInterval = () => 0; // nothing happens by itself here
const { Shelf } = await import('../../www/store/offline-store.js');

/** The locks of a browser, and the tabs that hold them. */
function locks() {
  const held = new Map();
  return {
    die: (name) => held.delete(name),
    names: () => [...held.keys()],
    query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
    request: async (name, options, act = options) => {
      if (options.ifAvailable && held.has(name)) return act(null);
      if (!options.ifAvailable) held.set(name, true);
      return act({ name });
    },
  };
}

/** A tab, as its page is loaded: `found` collects what others left. */
function tab(shared, remembered = null) {
  own.clear();
  if (remembered) own.set('parlor:/:tab', JSON.stringify(remembered));
  listeners = new Map();
  const before = new Set(shared?.names());
  const found = [];
  const shelf = new Shelf((entries) => found.push(...entries), shared);
  const lock = shared?.names().find((name) => !before.has(name));
  const leave = listeners.get('pagehide');
  const reload = () => {
    leave();
    const id = JSON.parse(own.get('parlor:/:tab'));
    if (lock) shared.die(lock);
    return tab(shared, id);
  };
  return { shelf, found, reload, die: () => shared.die(lock) };
}

const texts = (...list) => list.map((text) => ({ nonce: text, text }));

for (const [name, make] of [['with locks', locks], ['without', () => undefined]]) {
  test(`a reload keeps what was written, ${name}`, () => {
    map.clear();
    const one = tab(make());
    assert.deepEqual(one.shelf.own(), []);
    one.shelf.keep(texts('a', 'b'));
    const again = one.reload();
    assert.deepEqual(again.shelf.own(), texts('a', 'b'));
    again.shelf.keep([]);
    assert.equal(map.size, 0, 'and nothing is left when all is sent');
  });

  test(`what was sent is taken out in a moment, or when the page goes, ${name}`, (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    map.clear();
    const one = tab(make());
    one.shelf.keep(texts('a', 'b', 'c'));
    const written = [...map.values()];
    one.shelf.keepSoon(() => texts('b', 'c'));
    one.shelf.keepSoon(() => texts('c'));
    assert.deepEqual([...map.values()], written, 'not with each');
    t.mock.timers.tick(500);
    assert.equal([...map.values()].length, 1);
    assert.deepEqual(JSON.parse([...map.values()][0]).entries, texts('c'));
    one.shelf.keepSoon(() => texts('d'));
    one.shelf.keep(texts('d', 'e'));
    t.mock.timers.tick(500);
    assert.deepEqual(JSON.parse([...map.values()][0]).entries, texts('d', 'e'), 'what was kept since counts');
    one.shelf.keepSoon(() => texts('e'));
    assert.deepEqual(one.reload().shelf.own(), texts('e'));
  });

  test(`a copy of a tab has an outbox of its own, ${name}`, () => {
    map.clear();
    const shared = make();
    const one = tab(shared);
    one.shelf.keep(texts('a'));
    const copy = tab(shared); // what belongs to a tab is copied, and has no name in it while the page lives
    assert.deepEqual(copy.shelf.own(), []);
    copy.shelf.keep(texts('b'));
    assert.equal(map.size, 2);
  });
}

test('what a closed tab left is taken over once; what a living one has is its own', async () => {
  map.clear();
  const shared = locks();
  const [one, two] = [tab(shared), tab(shared)];
  one.shelf.keep(texts('a'));
  two.shelf.keep(texts('b'));
  const three = tab(shared);
  await three.shelf.look(true);
  assert.deepEqual(three.found, []);
  one.die();
  await three.shelf.look();
  assert.deepEqual(three.found, [], 'it may be reloading');
  await three.shelf.look();
  assert.deepEqual(three.found, texts('a'));
  await two.shelf.look(true);
  await three.shelf.look(true);
  assert.deepEqual([two.found, three.found], [[], texts('a')]);
});

test('without locks the time decides, and a long one', async (t) => {
  map.clear();
  tab().shelf.keep(texts('a'));
  const other = tab();
  await other.shelf.look(true);
  assert.deepEqual(other.found, []);
  t.mock.method(Date, 'now', () => 8.64e15);
  await other.shelf.look(true);
  assert.deepEqual(other.found, texts('a'));
});
