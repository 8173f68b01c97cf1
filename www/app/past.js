// Moves through the history: to a message, to a day, and from a part that doesn't reach the newest
// messages to its next page.

import * as protocol from '../connection/protocol.js';
import * as rooms from '../store/room.js';
import { t } from '../texts/language.js';

/** Messages loaded on each side of a message, and in each page after a part of the history. */
const AROUND = 50, NEWER = 100;
/** Messages requested to find one that has a time: deleted ones have none. */
const DATED = 10;

export class Past {
  #host;

  /**
   * `host` has: `ask(command)`, which resolves to the answer · `changed()` · `tell(text, bad)` ·
   * `failed(error)`.
   */
  constructor(host) {
    this.#host = host;
  }

  /**
   * Shows the message `seq` of a room, wherever it is in the history, once the room is loaded.
   * `focus`: moves the keyboard there.
   */
  jump(room, seq, focus = false) {
    room.target = { seq, focus, found: false, asked: false };
    this.resolve(room);
  }

  /** Loads the message that is to be shown, unless the page holds it. */
  async resolve(room) {
    const { target } = room;
    if (!target || target.asked || !room.loaded) return;
    target.asked = true;
    const { seq } = target;
    const isHeld = (part) =>
      part?.messages[0]?.seq <= seq && (part === room || seq <= part.messages.at(-1).seq);
    if (!isHeld(room) && !isHeld(room.past)) {
      const page = await this.#load(room, { before: seq + AROUND, limit: 2 * AROUND });
      if (!page || room.target !== target) return;
      rooms.showPast(room, page.messages, page.more);
    } else if (isHeld(room)) room.past = null;
    target.found = rooms.find(room, seq) !== null;
    if (!target.found) {
      Object.assign(room, { target: null, past: null });
      this.#host.tell(t.chat.notStored(seq), true);
    }
    this.#host.changed();
  }

  /** The message `seq` of a room, also if the page doesn't hold it; null if there is none. */
  async message(room, seq) {
    const page = await this.#load(room, { after: seq - 1, limit: 1 });
    this.#host.changed();
    return page?.messages.find((message) => message.seq === seq) ?? null;
  }

  /** Ends a jump: the newest messages are shown again. */
  leave(room) {
    room.target = room.past = null;
    this.#host.changed();
  }

  /** Loads what is before or after the part that is shown. */
  async older(room, limit) {
    const { past } = room;
    if (!past.older || past.fetchingOlder) return;
    past.fetchingOlder = true;
    const page = await this.#load(room, { before: past.messages[0].seq, limit });
    past.fetchingOlder = false;
    if (page && room.past === past) rooms.prepend(past, page.messages, page.more);
    this.#host.changed();
  }

  async newer(room) {
    const { past } = room;
    if (!past || past.filling) return;
    past.filling = true;
    const page = await this.#load(room, { after: past.messages.at(-1).seq, limit: NEWER });
    past.filling = false;
    if (page && room.past === past) rooms.extendPast(room, page.messages);
    this.#host.changed();
  }

  /**
   * Shows the first message of a day or after it: a binary search with a few small requests. `from`
   * is its first millisecond.
   */
  async toDate(room, from) {
    let [low, high] = [Math.max(1, room.first), room.known + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const page = await this.#load(room, { after: middle - 1, limit: DATED });
      if (!page) return;
      const dated = page.messages.find(({ at }) => at !== undefined);
      if (dated && dated.at < from) low = dated.seq + 1;
      else if (dated || !page.more) high = middle;
      else low = page.messages.at(-1).seq + 1;
    }
    this.jump(room, Math.min(low, room.known), true);
  }

  async #load(room, page) {
    try {
      return await this.#host.ask(protocol.history(protocol.target(room), page));
    } catch (error) {
      this.#host.failed(error);
      return null;
    }
  }
}
