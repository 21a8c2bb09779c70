/**
 * `exact`: each call again, with its input and seed. `modified`: some inputs changed first. `simulate`: the stored outputs, nothing is called. `debug`: as exact,
 * and told after each call.
 */
export const replayModes = ["exact", "modified", "simulate", "debug"] as const;
export type ReplayMode = (typeof replayModes)[number];
