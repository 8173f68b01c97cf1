// How far the reader has read: a mark for each place, shared by all tabs of a browser and kept over reloads.
//
// Read is what was at the end of the feed of the open place while the page had the focus. Not here: how many are unread
// (place.js), where the line "New" stands (rows.js), whether the feed is at its end (feed.js tells).

import { markRead, unread } from '../store/room.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';

const KEEP_AFTER_MS = 500;

export class Marks {
  /** Whether the feed shows the end of the open place. */
  atEnd = true;
  #state; #changed; #timer = 0; #away = false;

  /** `state()` gives the state as it is now. */
  constructor(state, changed) {
    this.#state = state;
    this.#changed = changed;
    storage.onMarks((kept) => {
      if (kept?.epoch !== this.#state().epoch) return;
      states.readElsewhere(this.#state(), new Map(Object.entries(kept.marks)));
      changed();
    });
  }

  /** The first welcome: what was read before this page was loaded. */
  take(epoch) {
    const kept = storage.marks();
    if (kept?.epoch === epoch) this.#state().marks = new Map(Object.entries(kept.marks));
    const line = storage.line();
    if (line?.epoch === epoch) this.#state().line = line;
  }

  /** What is open, in a page that is looked at, counts as read. What a first visit finds is told to the other tabs, too. */
  look() {
    const place = states.openPlace(this.#state());
    if (!place || !this.atEnd || document.visibilityState !== 'visible' || !document.hasFocus()) return;
    const isNew = unread(place) > 0;
    markRead(place);
    if (place.read > (this.#state().marks.get(states.markKey(place)) ?? 0)) this.#timer ||= setTimeout(() => this.keep(), KEEP_AFTER_MS);
    if (isNew) this.#changed();
  }

  /** The page is put away, perhaps to be loaded anew: the line "New" stays where it is. `visibilitychange` comes after this. */
  putAway(away) {
    this.#away = away;
    if (away) this.keep();
  }

  /** The page is not looked at any more: what comes from now on is new when it is looked at again. */
  lookAway() {
    if (this.#away) return;
    const place = states.openPlace(this.#state());
    if (place && unread(place) === 0) place.newAfter = place.read > 0 ? place.read : null;
    this.keep();
  }

  keep() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const state = this.#state();
    if (state.epoch === null) return;
    const before = storage.marks();
    const marks = new Map(Object.entries(before?.epoch === state.epoch ? before.marks : {}));
    for (const place of state.places.values()) {
      const key = states.markKey(place);
      if (key && place.read > 0) marks.set(key, Math.max(place.read, marks.get(key) ?? 0));
    }
    storage.keepMarks({ epoch: state.epoch, marks: Object.fromEntries(marks) });
    state.marks = marks;
    const open = states.openPlace(state);
    storage.keepLine(open && open.newAfter !== null ? { epoch: state.epoch, key: states.markKey(open), after: open.newAfter } : null);
  }
}
