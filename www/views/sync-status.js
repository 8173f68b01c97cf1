// Whether anything is missing of a place, in a sentence for who wants to know it.
//
// Messages are numbered without a gap, so it can be counted: what is here, what there is, and where each of the others is. Pure.

/** The sentence of a place; empty where nothing is known of it yet. */
export function tally(place) {
  if (!place || !place.loaded || place.known === 0) return '';
  const { messages, known, newest, older, first } = place;
  const here = messages.length;
  const coming = Math.max(0, known - newest);
  const earlier = older && here > 0 ? Math.max(0, messages[0].seq - first) : 0;
  const gone = known - here - coming - earlier;
  const count = `${here} of ${known} message${known === 1 ? '' : 's'}`;
  if (coming > 0) return `${count}, ${coming} on the way`;
  if (gone > 0) return `${count}, ${gone} no longer kept by the server`;
  return `${count}, nothing missing`;
}
