// Sends what was written: one text after another, in order, each once, however often the connection or the page goes.
//
// Not here: the list itself and its rules (outbox.js), where it is kept (shelf.js), pauses that the server asks for and
// answers that stay away (connection.js).

import * as outbox from '../store/outbox.js';
import * as say from '../connection/protocol.js';
import { Shelf } from '../store/offline-store.js';
import * as states from '../store/state.js';

export class Sender {
  outbox = [];
  #host; #shelf;

  /** `host` has: `state()` · `connection` · `ready()`: whether it may be sent · `changed()` · `failed(sentence)`. */
  constructor(host) {
    this.#host = host;
    this.#shelf = new Shelf((entries) => {
      this.#unpack(entries);
      this.pump();
    });
  }

  /** What this tab had before a reload, and what others left behind. */
  takeUp() {
    this.#unpack(this.#shelf.own());
    this.#shelf.look(true);
  }

  /** Forgets all, also what is kept. */
  clear() {
    this.outbox = [];
    this.#shelf.keep([]);
  }

  /** Takes a text for a place; it is shown and kept from now on. */
  post(place, text, action) {
    place.pinned = true;
    place.activity = ++this.#host.state().activity;
    outbox.add(this.outbox, { nonce: nonce(), key: place.key, conversation: place.conversation ?? null, text, action, at: Date.now() });
    this.pump();
    this.#shelf.keep(this.#packed());
  }

  retry(nonce) {
    const entry = this.outbox.find((one) => one.nonce === nonce);
    outbox.retry(this.outbox, nonce, this.#host.state().places.get(entry?.key)?.conversation ?? null);
    this.pump();
  }

  discard(nonce) {
    outbox.settle(this.outbox, nonce);
    this.pump();
    this.#shelf.keep(this.#packed());
  }

  /** The connection is gone. */
  lost() {
    outbox.lost(this.outbox);
  }

  /** An event of the server's: one's own messages are known by their nonce, and places may have turned out to be others. */
  seen(event, isMine) {
    for (const [from, to] of this.#host.state().merged.splice(0)) outbox.move(this.outbox, from, to);
    if (this.outbox.length === 0) return;
    for (const message of event.history ?? event.messages ?? [event]) {
      if (message.nonce && isMine(message)) outbox.settle(this.outbox, message.nonce);
    }
  }

  /** Sends what can be sent. */
  pump() {
    const { places } = this.#host.state();
    const entry = !this.#host.ready() ? null : outbox.next(this.outbox, ({ key }) => {
      const place = places.get(key);
      return place && (place.kind === 'person' || place.joined);
    });
    if (entry) this.#deliver(entry, places.get(entry.key));
    this.#shelf.keepSoon(() => this.#packed());
    this.#host.changed();
  }

  async #deliver(entry, place) {
    const { nonce, text, action, conversation } = entry;
    if (place.kind === 'person' && conversation !== null && conversation !== place.conversation) {
      // What was meant for one person never goes to another who has the name now.
      outbox.fail(this.outbox, nonce, 'the server does not know this conversation any more.');
      return this.pump();
    }
    entry.stage = 'sending';
    const to = place.conversation === null ? { to: place.name } : { conversation: place.conversation };
    try {
      await this.#host.connection.request(place.kind === 'channel' ? say.message(place.name, text, nonce, action) : say.direct(to, text, nonce));
      outbox.settle(this.outbox, nonce);
    } catch (error) {
      if (error.code === 'lost') return undefined;
      outbox.fail(this.outbox, nonce, error.message);
      this.#host.failed(error.message);
    }
    return this.pump();
  }

  /** The outbox in a form that outlives the page: a place's key does not. */
  #packed() {
    return this.outbox.map((entry) => {
      const { kind, name, conversation = null } = this.#host.state().places.get(entry.key) ?? {};
      return { ...entry, place: { kind, name, conversation } };
    }).filter(({ place }) => place.kind);
  }

  #unpack(packed) {
    const state = this.#host.state();
    for (const { place: { kind, name, conversation }, ...entry } of packed) {
      if (this.outbox.some(({ nonce }) => nonce === entry.nonce)) continue;
      const place = kind === 'channel' ? states.channelPlace(state, name)
        : conversation ? states.heldConversation(state, conversation, name) : states.draft(state, name);
      place.pinned = true;
      if (kind === 'channel') state.wanted.add(name);
      this.outbox.push({ ...entry, key: place.key, stage: entry.stage === 'failed' ? 'failed' : 'waiting' });
    }
  }
}

/** 128 random bits. `crypto.randomUUID` is missing where the page came without TLS. */
function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
