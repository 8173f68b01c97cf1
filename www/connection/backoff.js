// How long to wait before the next attempt to connect, and how much of that is left.
//
// Full jitter: any pause between nothing and the full one is as likely, so that a thousand pages that lost the same server
// spread evenly; the full one doubles, so that a server in trouble gets air. Pure. Not here: the timers (connection.js).

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** The pause before attempt 0, 1, 2 …; `random` is in [0, 1). */
export function pauseMs(attempt, random) {
  return Math.round(Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20)) * random);
}

/**
 * A pause that began at a moment of two clocks, in milliseconds: the monotonic one, which may stand still while a laptop
 * sleeps, and the wall's, which may be set back. Whichever went further counts.
 */
export class Pause {
  #ms; #mono; #wall;

  constructor(ms, mono, wall) {
    this.#ms = ms;
    this.#mono = mono;
    this.#wall = wall;
  }

  /** How many milliseconds are left of it; 0 where it is over. */
  left(mono, wall) {
    return Math.max(0, this.#ms - Math.max(mono - this.#mono, wall - this.#wall));
  }
}
