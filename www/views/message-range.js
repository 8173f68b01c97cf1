// Which part of a room's messages is in the document. A room may hold fifty thousand, which no browser lays out quickly, so
// some hundreds are shown, a range that moves with the reader. Pure.
//
// The range is held by numbers, not indices, because earlier pages are inserted before it.

import { indexOf } from '../store/room.js';

/** Messages shown at first at the end · more than this drops the far end · added at once. */
const FIRST = 250, MOST = 700, STEP = 200;

export class MessageRange {
  #first = null; // number of the first one; null: not known yet
  #last = null; // number of the last one; null: the range includes what comes

  /** `[from, to)` among the messages. At the end, the range follows. */
  range(messages, atEnd) {
    const count = messages.length;
    let to = this.#last === null || atEnd ? count : indexOf(messages, this.#last + 1);
    let from = this.#first === null ? Math.max(0, count - FIRST) : indexOf(messages, this.#first);
    if (from >= to) [from, to] = [Math.max(0, count - FIRST), count];
    if (to - from > MOST) {
      if (atEnd) from = to - FIRST;
      else to = from + MOST;
    }
    return this.#hold(messages, from, to);
  }

  /** Extends the range upwards. False if it already begins with the first message. */
  up(messages) {
    const from = this.#first === null ? 0 : indexOf(messages, this.#first);
    if (from === 0) return false;
    const to = this.#last === null ? messages.length : indexOf(messages, this.#last + 1);
    const begin = Math.max(0, from - STEP);
    this.#hold(messages, begin, Math.min(to, begin + MOST));
    return true;
  }

  /** Extends the range downwards. False if it already ends with the last message. */
  down(messages) {
    if (this.#last === null) return false;
    const to = Math.min(messages.length, indexOf(messages, this.#last + 1) + STEP);
    this.#hold(messages, Math.max(indexOf(messages, this.#first), to - MOST), to);
    return true;
  }

  /** Moves the range to the message with a number. */
  around(messages, seq) {
    const from = Math.max(0, indexOf(messages, seq) - FIRST / 2);
    this.#hold(messages, from, Math.min(messages.length, from + FIRST));
  }

  /** Moves the range to the end. */
  end() {
    this.#first = this.#last = null;
  }

  #hold(messages, from, to) {
    this.#first = messages[from]?.seq ?? null;
    this.#last = to < messages.length ? messages[to - 1].seq : null;
    return [from, to];
  }
}
