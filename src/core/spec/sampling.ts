/**
 * How tokens are chosen: what text/parameters.ts makes of the options of a call.
 * Every kind has a seed (unsigned 32-bit), since each answer reports one.
 */
export type Sampling = TokenSampling | BeamSampling;

/** One token after the other: the likeliest, or a random draw. `isSeeded`: the caller chose the seed, so the same call is to give the same text again, and nothing that is timed may change it. */
export type TokenSampling = GreedySampling | RandomSampling;

export interface GreedySampling {
  readonly kind: "greedy";
  readonly seed: number;
  readonly isSeeded?: true | undefined;
  /** absent = off */
  readonly penalties?: Penalties | undefined;
}

export interface RandomSampling {
  readonly kind: "random";
  readonly seed: number;
  readonly isSeeded?: true | undefined;
  /** above 0 */
  readonly temperature: number;
  /** absent = off, here and in the next two */
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly penalties?: Penalties | undefined;
}

/** Beam search, of encoder-decoder models. */
export interface BeamSampling {
  readonly kind: "beam";
  readonly seed: number;
  /** at least 2 */
  readonly numBeams: number;
  readonly lengthPenalty: number;
  /** 1 to numBeams */
  readonly numReturnSequences: number;
  readonly penalties?: Penalties | undefined;
}

/** What keeps a text from repeating itself; at least one of the three penalties has an effect. */
export interface Penalties {
  /** 1 = no effect */
  readonly repeatPenalty: number;
  /** 0 = no effect */
  readonly presencePenalty: number;
  /** 0 = no effect */
  readonly frequencyPenalty: number;
  /** tokens looked at, at least 1 */
  readonly lastTokens: number | "all";
}

/** The likeliest token each time, without penalties. */
export const greedy: GreedySampling = { kind: "greedy", seed: 0 };
