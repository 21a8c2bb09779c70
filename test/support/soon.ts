/**
 * Most that "at once" may take where the wrong way takes much longer, or for ever. Tests say that nothing waits, not how fast this machine is
 * today: a bound near the real figure fails whenever somebody else computes. Milliseconds.
 */
export const soonMs = 5_000;
