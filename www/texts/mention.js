// Whether a text means somebody: `@name`, in any case, with nothing of a name around it. Pure.

/** The name as it stands, since no name has a sign that means something in a pattern but `.` and `-`. */
export function mentions(text, name) {
  if (!name || !text.includes('@')) return false;
  const word = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?:^|[^\\p{L}\\p{M}\\p{N}_.-])@${word}(?![\\p{L}\\p{M}\\p{N}_])`, 'iu').test(text);
}
