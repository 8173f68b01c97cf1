// Drafts of each room. Pure.

import { markKey } from './state.js';

const MAX_KEPT = 100;

/**
 * The drafts `[[key, text]]` with one of them changed, the oldest first. An empty text removes it.
 */
export function withDraft(drafts, key, text) {
  const others = drafts.filter(([one]) => one !== key);
  return text.trim() === '' ? others : [...others, [key, text]].slice(-MAX_KEPT);
}

/** Under which key a room's draft is kept. */
export const draftKey = (room) => markKey(room) || `@${room.name}`;

export const draftOf = (drafts, key) => drafts.find(([one]) => one === key)?.[1] ?? '';
