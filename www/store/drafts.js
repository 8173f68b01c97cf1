// Drafts of each room. Pure.

const MAX_KEPT = 100;

/** The drafts `[[key, text]]` with one of them changed, the oldest first. An empty text removes it. */
export function withDraft(drafts, key, text) {
  const others = drafts.filter(([one]) => one !== key);
  return text.trim() === '' ? others : [...others, [key, text]].slice(-MAX_KEPT);
}

export const draftOf = (drafts, key) => drafts.find(([one]) => one === key)?.[1] ?? '';
