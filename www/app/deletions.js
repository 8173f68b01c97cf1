// Deletions wait 5 seconds, in which they can be undone. The person wants the text gone: a page that is closed meanwhile sends
// them at once, and the browser keeps them until the server has answered, so that a lost connection doesn't lose one.

import * as protocol from '../connection/protocol.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';

const UNDO_MS = 5000;

export class Deletions {
  #host; #waiting = storage.deletions.get(); // { epoch, target, seq, due }, where target names the room as in commands

  /** `host` has: `state()` · `request(command)` · `notify(command)` · `changed()` · `failed(error)`. */
  constructor(host) {
    this.#host = host;
    storage.deletions.onChange((waiting) => { this.#waiting = waiting ?? []; });
    if (this.#waiting.length > 0) setTimeout(() => this.flush(), UNDO_MS);
    addEventListener('pagehide', () => this.hurry());
  }

  /** Sends all of them at once: the page is closed, or its user leaves. */
  hurry() {
    for (const one of this.#waiting) this.#host.notify(command(one));
  }

  /** Whether a message of a room is about to be deleted. */
  has = (room, seq) => this.#find(room, seq) !== undefined;

  add(room, seq) {
    if (this.has(room, seq)) return;
    this.#keep([...this.#waiting, { epoch: this.#host.state().epoch, target: protocol.target(room), seq, due: Date.now() + UNDO_MS }]);
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
        // In another history the number is that of another message.
        if (one.epoch === this.#host.state().epoch) await this.#host.request(command(one));
      } catch (error) {
        if (error.code === 'lost') return; // sent again after the next welcome
        if (!['no_such_message', 'not_yours'].includes(error.code)) this.#host.failed(error);
      }
      this.#keep(this.#waiting.filter((other) => other !== one));
    }
  }

  #find(room, seq) {
    return this.#waiting.find((one) => one.seq === seq && states.roomOf(this.#host.state(), one.target) === room);
  }

  #keep(waiting) {
    this.#waiting = waiting;
    storage.deletions.set(waiting.length > 0 ? waiting : null);
    this.#host.changed();
  }
}

const command = ({ target, seq }) => ({ type: 'delete', ...target, seq });
