// Whether any message of a room is missing on this page. Messages are numbered without gaps, so it can be counted. Pure.

import { t } from '../texts/en.js';

/** The status in one sentence; empty if nothing is known yet. */
export function syncStatus(room) {
  if (!room?.loaded || room.known === 0) return '';
  const { messages, known, newest, older, first } = room;
  const loading = Math.max(0, known - newest);
  const earlier = older && messages.length > 0 ? Math.max(0, messages[0].seq - first) : 0;
  const notStored = known - messages.length - loading - earlier;
  const rest = loading > 0 ? t.room.loading(loading) : notStored > 0 ? t.room.notStored(notStored) : t.room.complete;
  return `${t.room.synced(messages.length, known)}, ${rest}`;
}
