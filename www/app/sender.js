// Sends messages one after another, in order, each stored once, over lost connections and reloads.
//
// Every unconfirmed message is kept in the browser. A page that loads takes all of them, and a
// running page those of tabs that seem to be gone. If two tabs send the same message, it is stored
// once, because it keeps its nonce.

import * as protocol from '../connection/protocol.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';
import { t } from '../texts/language.js';

/**
 * How often messages of other tabs are looked for, and their age when their tab seems to be gone.
 */
const SEARCH_MS = 10_000, ABANDONED_MS = 60_000;
/**
 * Connections that the server may close because of one message before that message counts as
 * refused.
 */
const MAX_REJECTIONS = 2;

export class Sender {
  /**
   * The messages that the server hasn't confirmed, oldest first; their `stage` is `waiting`,
   * `sending` or `failed`.
   */
  outbox = [];
  #host;

  /**
   * `host` has: `state()` · `connection` · `ready()`: whether messages may be sent · `changed()` ·
   * `failed(error)`.
   */
  constructor(host) {
    this.#host = host;
    storage.onUnsentRemoved((nonce) => {
      const entry = this.#find(nonce);
      if (entry && entry.stage !== 'sending') this.#remove(entry);
      host.changed();
    });
    setInterval(() => host.ready() && this.restore(ABANDONED_MS), SEARCH_MS);
  }

  /** The unconfirmed messages of one room. */
  pending = (room) => this.outbox.filter(({ key }) => key === room.key);

  /** Takes the messages that the browser keeps, if they are older than `age` milliseconds. */
  restore(age = -Infinity) {
    const state = this.#host.state();
    for (const kept of storage.unsent()) {
      if (Date.now() - kept.at < age || this.#find(kept.nonce)) continue;
      const { kind, name, conversation } = kept.place;
      const room = kind === 'channel'
        ? states.channelRoom(state, name)
        : conversation
        ? states.rememberedConversation(state, conversation, name)
        : states.newConversation(state, name);
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

  /** Accepts a message for a room. It is shown, and kept until the server has it. */
  post(room, text, action) {
    room.pinned = true;
    room.activity = ++this.#host.state().activity;
    const { key, conversation = null } = room;
    const order = Math.max(Date.now(), (this.outbox.at(-1)?.order ?? 0) + 0.001);
    const entry = {
      nonce: nonce(),
      key,
      conversation,
      text,
      action: action || undefined,
      at: Date.now(),
      order,
      stage: 'waiting',
      error: null,
    };
    this.outbox.push(entry);
    this.#keep(entry);
    this.flush();
  }

  /** Sends a refused message again, to the conversation that its room has now. */
  retry(nonce) {
    const entry = this.#find(nonce);
    const { conversation = null } = this.#host.state().rooms.get(entry?.key) ?? {};
    Object.assign(entry ?? {}, { stage: 'waiting', error: null, conversation });
    this.flush();
  }

  /** Deletes a message that wasn't sent. Returns the room that it was for. */
  discard(nonce) {
    const room = this.#host.state().rooms.get(this.#settle(nonce)?.key);
    if (room) room.pinned = this.pending(room).length > 0;
    this.flush();
    return room;
  }

  /**
   * The connection is gone. The message under way is sent again, unless the server closed the
   * connection because of what this page sent (`rejected`), and not for the first time.
   */
  lost(rejected = false) {
    const entry = this.outbox.find(({ stage }) => stage === 'sending');
    if (!entry) return;
    entry.stage = 'waiting';
    entry.rejections = (entry.rejections ?? 0) + (rejected ? 1 : 0);
    if (rejected && entry.rejections >= MAX_REJECTIONS)
      Object.assign(entry, { stage: 'failed', error: t.chat.rejected });
    if (entry.rejections > 0) this.#keep(entry);
  }

  /**
   * Confirms own messages, recognized by their nonce, and follows rooms that were merged into
   * others.
   */
  onEvent(event, isMine) {
    const { merged, rooms } = this.#host.state();
    for (const [from, to] of merged.splice(0))
      for (const entry of this.pending({ key: from })) entry.key = to;
    if (this.outbox.length === 0) return;
    for (const message of protocol.messagesOf(event)) {
      if (message.nonce && isMine(message)) this.#settle(message.nonce);
    }
    for (const entry of this.outbox) {
      if ((rooms.get(entry.key)?.conversation ?? null) !== entry.place.conversation)
        this.#keep(entry);
    }
  }

  /**
   * Sends the next message that can be sent, unless one is under way. One whose room isn't ready
   * doesn't hold up others.
   */
  flush() {
    const { rooms } = this.#host.state();
    const isNext = ({ stage, key, notBefore = 0 }) => {
      const room = rooms.get(key);
      return stage === 'waiting' && notBefore <= Date.now() && room
        && (room.kind === 'person' || room.joined);
    };
    const isFree = this.#host.ready() && !this.outbox.some(({ stage }) => stage === 'sending');
    const entry = isFree ? this.outbox.find(isNext) : undefined;
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

  /** The message stays until the user retries or deletes it. */
  #fail(entry, { message }) {
    Object.assign(entry, { stage: 'failed', error: message });
    this.#keep(entry);
  }

  #find = (nonce) => this.outbox.find((entry) => entry.nonce === nonce);

  #remove = (entry) => this.outbox.splice(this.outbox.indexOf(entry), 1);

  #settle(nonce) {
    const entry = this.#find(nonce);
    if (!entry) return null;
    this.#remove(entry);
    storage.keepUnsent(nonce, null);
    return entry;
  }

  /** Keeps an entry with what outlives the page: its room, by name and conversation. */
  #keep(entry) {
    const { kind, name, conversation = null } = this.#host.state().rooms.get(entry.key)
      ?? entry.place;
    entry.place = { kind, name, conversation };
    storage.keepUnsent(entry.nonce, {
      ...entry,
      key: undefined,
      stage: entry.stage === 'failed' ? 'failed' : 'waiting',
    });
  }
}

/** 128 random bits. `crypto.randomUUID` exists only on secure pages. */
function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, '0')).join('');
}
