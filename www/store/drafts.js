// Drafts of each room, and the messages that were sent, to recall them with the arrow keys. Pure.

const MAX_KEPT = 100;

/** The drafts `[[key, text]]` with one of them changed, the oldest first. An empty text removes it. */
export function withDraft(drafts, key, text) {
  const others = drafts.filter(([one]) => one !== key);
  return text.trim() === '' ? others : [...others, [key, text]].slice(-MAX_KEPT);
}

export const draftOf = (drafts, key) => drafts.find(([one]) => one === key)?.[1] ?? '';

/** The texts sent in each room, and the one that is in the composer now. */
export class Recall {
  #sent = new Map(); #key = null; #at = null; #shown = null;

  sent(key, typed) {
    const list = this.#sent.get(key) ?? [];
    if (list.at(-1) !== typed) list.push(typed);
    this.#sent.set(key, list.slice(-MAX_KEPT));
    this.#at = null;
  }

  /**
   * Goes up (`step` -1) or down (1) from a composer that holds `text`. Returns the text to show instead, or null if the
   * arrow key keeps its usual meaning. `before` gives messages from before the page was loaded.
   */
  step(key, text, step, before = () => []) {
    const continues = this.#at !== null && key === this.#key && text === this.#shown;
    if (!continues && (text !== '' || step > 0)) return null;
    const list = this.#sent.get(key) ?? before();
    const at = (continues ? this.#at : list.length) + step;
    if (at < 0) return null;
    this.#key = key;
    this.#at = at < list.length ? at : null;
    this.#shown = list[at] ?? '';
    return this.#shown;
  }
}
