// How long to wait before the next attempt to connect: growing, so that a server in trouble gets air, and jittered, so that
// a thousand pages that lost the same server don't come back in the same moment.
//
// Not here: the timers (connection.js).

const FIRST_MS = 600;
const LONGEST_MS = 20_000;

/** The pause before attempt 0, 1, 2 …; `random` is in [0, 1). At least half of the full pause, which doubles each time. */
export function pauseMs(attempt, random) {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20));
  return Math.round(full * (0.5 + random / 2));
}
