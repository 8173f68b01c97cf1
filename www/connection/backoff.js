// How long to wait before the next attempt to connect, and how much of that is left. Pure.
//
// Full jitter: a thousand pages that lost the same server spread evenly, and the longest pause doubles each time.

const FIRST_MS = 1000, LONGEST_MS = 30_000;

/** The pause before attempt 0, 1, 2 … in milliseconds; `random` is in [0, 1). */
export function pauseMs(attempt, random) {
  return Math.round(Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20)) * random);
}

/**
 * A pause measured by two clocks: the monotonic one, which may stop while a laptop sleeps, and the wall clock, which may
 * be set back. The one that went further counts.
 */
export class Pause {
  #ms; #mono; #wall;

  constructor(ms, mono, wall) {
    this.#ms = ms;
    this.#mono = mono;
    this.#wall = wall;
  }

  /** Milliseconds left; 0 if it is over. */
  left(mono, wall) {
    return Math.max(0, this.#ms - Math.max(mono - this.#mono, wall - this.#wall));
  }
}
