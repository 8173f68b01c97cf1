// Sends what was written: one message after another, in order, each stored once, over lost connections and reloads.
//
// Every unconfirmed message is kept in the browser. A page that loads takes all of them, and a running page those of tabs
// that seem to be gone. If two tabs send the same message, it is stored once, because it keeps its nonce.

import * as protocol from '../connection/protocol.js';
import * as outbox from '../store/outbox.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';
import { t } from '../texts/en.js';

/** How often messages of other tabs are looked for, and their age when their tab seems to be gone. */
const SEARCH_MS = 10_000, ABANDONED_MS = 60_000;

export class Sender {
  outbox = [];
  #host;

  /** `host` has: `state()` · `connection` · `ready()`: whether messages may be sent · `changed()` · `failed(error)`. */
  constructor(host) {
    this.#host = host;
    storage.onUnsentRemoved((nonce) => {
      const isSending = this.outbox.some((entry) => entry.nonce === nonce && entry.stage === 'sending');
      if (!isSending && outbox.settle(this.outbox, nonce)) host.changed();
    });
    setInterval(() => host.ready() && this.restore(ABANDONED_MS), SEARCH_MS);
  }

  /** Takes the messages that the browser keeps, if they are older than `age` milliseconds. */
  restore(age = -Infinity) {
    const state = this.#host.state();
    for (const kept of storage.unsent()) {
      if (Date.now() - kept.at < age || this.outbox.some(({ nonce }) => nonce === kept.nonce)) continue;
      const { kind, name, conversation } = kept.place;
      const room = kind === 'channel' ? states.channelRoom(state, name)
        : conversation ? states.rememberedConversation(state, conversation, name) : states.newConversation(state, name);
      room.pinned = true;
      if (kind === 'channel') state.wanted.add(name);
      this.outbox.push({ ...kept, key: room.key });
    }
    this.outbox.sort((a, b) => a.order - b.order);
    this.flush();
  }

  /** Forgets the messages of this page. */
  clear() {
    this.outbox = [];
  }

  /** Takes a message for a room. From now on it is shown, and kept until the server has it. */
  post(room, text, action) {
    room.pinned = true;
    room.activity = ++this.#host.state().activity;
    const { key, conversation = null } = room;
    const order = Math.max(Date.now(), (this.outbox.at(-1)?.order ?? 0) + 0.001);
    const entry = outbox.add(this.outbox, { nonce: nonce(), key, conversation, text, action, at: Date.now(), order });
    this.#keep(entry);
    this.flush();
  }

  retry(nonce) {
    const key = this.outbox.find((one) => one.nonce === nonce)?.key;
    outbox.retry(this.outbox, nonce, this.#host.state().rooms.get(key)?.conversation ?? null);
    this.flush();
  }

  /** Deletes a message that wasn't sent. Returns the room that it was for. */
  discard(nonce) {
    const room = this.#host.state().rooms.get(this.#settle(nonce)?.key);
    if (room) room.pinned = outbox.pending(this.outbox, room.key).length > 0;
    this.flush();
    return room;
  }

  /** The connection is gone; `rejected`: the server closed it because of what this page sent. */
  lost(rejected = false) {
    outbox.lost(this.outbox, rejected, t.chat.rejected);
    this.outbox.filter(({ rejections }) => rejections).forEach((entry) => this.#keep(entry));
  }

  /** Settles own messages, recognized by their nonce, and follows rooms that turned out to be other rooms. */
  onEvent(event, isMine) {
    const { merged, rooms } = this.#host.state();
    for (const [from, to] of merged.splice(0)) outbox.move(this.outbox, from, to);
    if (this.outbox.length === 0) return;
    for (const message of event.history ?? event.messages ?? [event]) {
      if (message.nonce && isMine(message)) this.#settle(message.nonce);
    }
    for (const entry of this.outbox) {
      if ((rooms.get(entry.key)?.conversation ?? null) !== entry.place.conversation) this.#keep(entry);
    }
  }

  /** Sends the next message that can be sent. */
  flush() {
    const { rooms } = this.#host.state();
    const isReady = ({ key, notBefore = 0 }) => {
      const room = rooms.get(key);
      return room && notBefore <= Date.now() && (room.kind === 'person' || room.joined);
    };
    const entry = this.#host.ready() ? outbox.next(this.outbox, isReady) : null;
    if (entry) this.#send(entry, rooms.get(entry.key));
    this.#host.changed();
  }

  async #send(entry, room) {
    const { nonce, conversation } = entry;
    if (room.kind === 'person' && conversation !== null && conversation !== room.conversation) {
      // A private message never goes to a different user who has taken the name since.
      this.#fail(entry, { message: t.chat.noConversation });
      return this.flush();
    }
    entry.stage = 'sending';
    try {
      await this.#host.connection.request(protocol.post(room, entry));
      this.#settle(nonce);
    } catch (error) {
      if (error.code === 'lost') return undefined;
      if (error.code === 'slow') return this.#wait(entry, error.retry_ms ?? 1000);
      this.#fail(entry, error);
      this.#host.failed(error);
    }
    return this.flush();
  }

  /** The channel takes one message of a user at a time: the entry is sent when it may be. */
  #wait(entry, ms) {
    Object.assign(entry, { stage: 'waiting', notBefore: Date.now() + ms });
    setTimeout(() => this.flush(), ms + 50);
    this.flush();
  }

  #fail(entry, { message }) {
    outbox.fail(this.outbox, entry.nonce, message);
    this.#keep(entry);
  }

  #settle(nonce) {
    const entry = outbox.settle(this.outbox, nonce);
    if (entry) storage.keepUnsent(nonce, null);
    return entry;
  }

  /** Keeps an entry with what outlives the page: its room, by name and conversation. */
  #keep(entry) {
    const { kind, name, conversation = null } = this.#host.state().rooms.get(entry.key) ?? entry.place;
    entry.place = { kind, name, conversation };
    storage.keepUnsent(entry.nonce, { ...entry, key: undefined, stage: entry.stage === 'failed' ? 'failed' : 'waiting' });
  }
}

/** 128 random bits. `crypto.randomUUID` exists only on secure pages. */
function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
