// How far the reader has read each room: shared by all tabs of a browser, and kept over reloads.
//
// A message is read once it was at the end of the feed of the open room while the page had the
// focus.

import { markRead, unread } from '../store/room.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';

const KEEP_AFTER_MS = 500;

export class ReadMarkers {
  /** Whether the feed shows the end of the open room. */
  atEnd = true;
  #state;
  #changed;
  #timer = 0;
  #leaving = false;

  /** `state()` returns the current state. */
  constructor(state, changed) {
    this.#state = state;
    this.#changed = changed;
    storage.marks.onChange((kept) => {
      if (kept?.epoch !== this.#state().epoch) return;
      states.readElsewhere(this.#state(), new Map(Object.entries(kept.marks)));
      changed();
    });
  }

  /** Restores the markers at the first welcome. */
  restore(epoch) {
    const kept = storage.marks.get();
    if (kept?.epoch === epoch) this.#state().marks = new Map(Object.entries(kept.marks));
    const line = storage.line.get();
    if (line?.epoch === epoch) this.#state().line = line;
  }

  /** Marks the open room as read if the reader can see its end. */
  update() {
    const state = this.#state();
    const room = states.openRoom(state);
    if (!room || !this.atEnd || document.visibilityState !== 'visible' || !document.hasFocus())
      return;
    const isNew = unread(room) > 0;
    markRead(room);
    if (room.read > (state.marks.get(states.markKey(room)) ?? 0))
      this.#timer ||= setTimeout(() => this.keep(), KEEP_AFTER_MS);
    if (isNew) this.#changed();
  }

  /** Marks all rooms as read. */
  readAll() {
    for (const room of this.#state().rooms.values()) markRead(room);
    this.keep();
  }

  /**
   * The page is unloaded, perhaps for a reload: the line "New" keeps its position. Comes before
   * `visibilitychange`.
   */
  setLeaving(leaving) {
    this.#leaving = leaving;
    if (leaving) this.keep();
  }

  /** The page lost the focus: later messages are below the line "New". */
  onBlur() {
    if (this.#leaving) return;
    const room = states.openRoom(this.#state());
    if (room && unread(room) === 0) room.newAfter = room.read > 0 ? room.read : null;
    this.keep();
  }

  keep() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const state = this.#state();
    const { epoch } = state;
    if (epoch === null) return;
    const before = storage.marks.get();
    const marks = new Map(Object.entries(before?.epoch === epoch ? before.marks : {}));
    for (const room of state.rooms.values()) {
      const key = states.markKey(room);
      if (key && room.read > 0) marks.set(key, Math.max(room.read, marks.get(key) ?? 0));
    }
    storage.marks.set({ epoch, marks: Object.fromEntries(marks) });
    state.marks = marks;
    const open = states.openRoom(state);
    storage.line.set(
      open && open.newAfter !== null
        ? { epoch, key: states.markKey(open), after: open.newAfter }
        : null,
    );
  }
}
