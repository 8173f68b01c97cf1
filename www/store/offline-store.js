// Where a tab keeps what it has not sent yet, so that a reload, a crash or a closed window loses nothing.
//
// Each tab has a place of its own there and holds a lock while it lives. What a tab left behind that lives no more is taken over
// by another one. Browsers give locks to pages that came by TLS or from this machine; for others the time at which a place was
// last kept has to do. Should two tabs then take the same texts for theirs, nothing is said twice: a text keeps its nonce, and
// the server takes each nonce once.
//
// Not here: what is in it (outbox.js), sending (chat.js).

import * as storage from './storage.js';

/** How often a tab shows that it lives, and looks for what others left. */
const LOOK_MS = 10_000;
/** What left the outbox may be kept for so long. */
const SOON_MS = 500;
/** So long unkept, a place counts as left. Timers of hidden pages run once a minute. */
const LEFT_MS = 180_000;

export class Shelf {
  #tab; #kept = null; #found; #locks; #left = new Set(); #soon = null; #timer = 0;

  /** `found(entries)` is called with what another tab left behind. */
  constructor(found, locks = globalThis.navigator?.locks) {
    this.#found = found;
    this.#locks = locks;
    this.#tab = storage.takeTab() ?? Math.random().toString(36).slice(2, 12);
    this.#locks?.request(storage.lockName(this.#tab), () => new Promise(() => {}));
    addEventListener('pagehide', () => {
      this.#keepNow();
      storage.keepTab(this.#tab);
    });
    addEventListener('pageshow', ({ persisted }) => persisted && storage.takeTab());
    setInterval(() => {
      if (this.#kept) this.#write();
      this.look();
    }, LOOK_MS);
  }

  /** What this tab had before a reload. */
  own() {
    this.#kept = ''; // whatever is kept next is different
    return storage.outbox(this.#tab)?.entries ?? [];
  }

  /**
   * Keeps what `entries()` gives in a moment: for what has only become less. Should the page die before, what was sent is sent
   * again, and taken once; so a long outbox is not written anew with each text that leaves it.
   */
  keepSoon(entries) {
    this.#soon = entries;
    this.#timer ||= setTimeout(() => this.#keepNow(), SOON_MS);
  }

  #keepNow() {
    if (this.#soon) this.keep(this.#soon());
  }

  /** Keeps the entries; the same ones again cost nothing. */
  keep(entries) {
    clearTimeout(this.#timer);
    [this.#soon, this.#timer] = [null, 0];
    const text = entries.length === 0 ? null : JSON.stringify(entries);
    if (text === this.#kept) return;
    this.#kept = text;
    this.#write();
  }

  #write() {
    storage.keepOutbox(this.#tab, !this.#kept ? null : { at: Date.now(), entries: JSON.parse(this.#kept) });
  }

  /** Looks for what others left. Whoever just reloads is without a lock for a moment: only `atOnce` is nothing waited for. */
  async look(atOnce = false) {
    const others = storage.outboxes().filter((tab) => tab !== this.#tab);
    const left = new Set();
    for (const tab of others) {
      if (!await this.#isLeft(tab)) continue;
      left.add(tab);
      if (atOnce || this.#left.has(tab)) await this.#take(tab);
    }
    this.#left = left;
  }

  async #isLeft(tab) {
    if (!this.#locks) return Date.now() - (storage.outbox(tab)?.at ?? 0) > LEFT_MS;
    const { held } = await this.#locks.query();
    return !held.some(({ name }) => name === storage.lockName(tab));
  }

  async #take(tab) {
    const take = () => {
      const entries = storage.outbox(tab)?.entries ?? [];
      if (entries.length > 0) this.#found(entries);
      storage.keepOutbox(tab, null);
    };
    if (this.#locks) await this.#locks.request(storage.lockName(tab), { ifAvailable: true }, (lock) => lock && take());
    else take();
  }
}
