// Which part of a place's messages stands in the feed. A place may hold fifty thousand; a browser that lays out all of them is
// slow with every one that comes. So a span of some hundreds is shown, which moves with the reader. Pure.
//
// It is held by numbers and not by indices, since pages are put before what is there. Not here: what is scrolled (feed.js).

/** At the end so many are shown at first; beyond the other number the far end is given up; so many come at once. */
const FIRST = 250, MOST = 700, STEP = 200;

export class Span {
  #first = null; // the number of the first that is shown; null: not known yet
  #last = null; // of the last one; null: the span goes on with what comes

  /** `[from, to)` among the messages. Who is at the end follows it. */
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

  /** Shows earlier ones. False where there are none here. */
  up(messages) {
    const from = this.#first === null ? 0 : indexOf(messages, this.#first);
    if (from === 0) return false;
    const to = this.#last === null ? messages.length : indexOf(messages, this.#last + 1);
    const begin = Math.max(0, from - STEP);
    this.#hold(messages, begin, Math.min(to, begin + MOST));
    return true;
  }

  /** Shows later ones. False where the end is shown. */
  down(messages) {
    if (this.#last === null) return false;
    const to = Math.min(messages.length, indexOf(messages, this.#last + 1) + STEP);
    this.#hold(messages, Math.max(indexOf(messages, this.#first), to - MOST), to);
    return true;
  }

  /** To the end. */
  end() {
    this.#first = this.#last = null;
  }

  #hold(messages, from, to) {
    this.#first = messages[from]?.seq ?? null;
    this.#last = to < messages.length ? messages[to - 1].seq : null;
    return [from, to];
  }
}

/** The index of the first message with this number or a higher one. */
export function indexOf(messages, seq) {
  let low = 0;
  for (let high = messages.length; low < high;) {
    const middle = (low + high) >> 1;
    if (messages[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
