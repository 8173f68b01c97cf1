// What was begun and not sent, for each conversation; and what was sent last, to bring it back.
//
// Pure: maps and functions on them. Not here: where drafts are kept (storage.js), the box (composer.js).

/** So many drafts are kept; the oldest go. */
const MOST = 100;

/** The drafts with one changed: a list of `[key, text]`, the oldest first. An empty text takes it out. */
export function withDraft(drafts, key, text) {
  const others = drafts.filter(([one]) => one !== key);
  return text.trim() === '' ? others : [...others, [key, text]].slice(-MOST);
}

export const draftOf = (drafts, key) => drafts.find(([one]) => one === key)?.[1] ?? '';

/** What was sent in one place, as it was typed, and where in it a person is who goes back by Up. */
export class Recall {
  #sent = new Map(); #key = null; #at = null; #shown = null;

  /** Something was sent. */
  sent(key, typed) {
    const list = this.#sent.get(key) ?? [];
    if (list.at(-1) !== typed) list.push(typed);
    this.#sent.set(key, list.slice(-MOST));
    this.#at = null;
  }

  /**
   * Up (`step` -1) or Down (1) in a box that holds `text`: the text to be shown instead, or null where the key is to do what it
   * always does. `before` gives older ones, where nothing was sent since the page was loaded.
   */
  step(key, text, step, before = () => []) {
    const goesOn = this.#at !== null && key === this.#key && text === this.#shown;
    if (!goesOn && (text !== '' || step > 0)) return null;
    const list = this.#sent.get(key) ?? before();
    const at = (goesOn ? this.#at : list.length) + step;
    if (at < 0) return null;
    this.#key = key;
    this.#at = at < list.length ? at : null;
    this.#shown = list[at] ?? '';
    return this.#shown;
  }
}
