// Deletions wait 5 seconds, in which they can be undone. A page that is closed in that time sends
// its own at once. The browser keeps all of them until the server has answered, so that a lost
// connection loses none.

import * as protocol from '../connection/protocol.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';

const UNDO_MS = 5000;

export class Deletions {
  // { epoch, target, seq, due, page }, where target names the room as in commands, and page is the
  // one that added it
  #host;
  #waiting = storage.deletions.get();
  #page = Math.random();

  /**
   * `host` has: `state()` · `request(command)` · `notify(command)` · `changed()` · `failed(error)`.
   */
  constructor(host) {
    this.#host = host;
    storage.deletions.onChange((waiting) => {
      this.#waiting = waiting ?? [];
      host.changed();
    });
    if (this.#waiting.length > 0) setTimeout(() => this.flush(), UNDO_MS);
    addEventListener('pagehide', () => this.#hurry(({ page }) => page === this.#page));
  }

  /** Sends the deletions of all pages at once, because the user leaves. */
  hurry() {
    this.#hurry(() => true);
  }

  #hurry(isMeant) {
    for (const one of this.#waiting.filter(isMeant))
      if (this.#isValid(one)) this.#host.notify(command(one));
  }

  /** Drops deletions of another history, where the numbers belong to other messages. */
  #isValid = ({ epoch }) => epoch === this.#host.state().epoch;

  /** Whether a message of a room is about to be deleted. */
  has = (room, seq) => this.#find(room, seq) !== undefined;

  add(room, seq) {
    if (this.has(room, seq)) return;
    const { epoch } = this.#host.state();
    this.#keep([...this.#waiting, {
      epoch,
      target: protocol.target(room),
      seq,
      due: Date.now() + UNDO_MS,
      page: this.#page,
    }]);
    setTimeout(() => this.flush(), UNDO_MS + 1);
  }

  undo(room, seq) {
    const undone = this.#find(room, seq);
    this.#keep(this.#waiting.filter((one) => one !== undone));
  }

  /** Sends those that are due. */
  async flush() {
    for (const one of this.#waiting.filter(({ due }) => due <= Date.now())) {
      try {
        if (this.#isValid(one)) await this.#host.request(command(one));
      } catch (error) {
        if (error.code === 'lost') return; // sent again after the next welcome
        if (!['no_such_message', 'not_yours'].includes(error.code)) this.#host.failed(error);
      }
      this.#keep(this.#waiting.filter((other) => other !== one));
    }
  }

  #find(room, seq) {
    return this.#waiting.find((one) =>
      one.seq === seq && states.roomOf(this.#host.state(), one.target) === room
    );
  }

  #keep(waiting) {
    this.#waiting = waiting;
    storage.deletions.set(waiting.length > 0 ? waiting : null);
    this.#host.changed();
  }
}

const command = ({ target, seq }) => ({ type: 'delete', ...target, seq });
