/** Written by tools/generate.mjs from src/core/text/parameters.ts. */

/** Numeric parameters of an answer. Undefined = what the model itself recommends, else the default named here. */
export interface GenerationParameters {
  /** Most tokens to generate. Range 1 … 131072. Default 512. */
  readonly maxTokens?: number | undefined;
  /** Randomness; 0 = greedy. Range 0 … 2. Default 0.7; T5 0. */
  readonly temperature?: number | undefined;
  /** Keep the likeliest tokens up to this share; 1 = off. Range > 0 … 1. Default 0.9. */
  readonly topP?: number | undefined;
  /** Keep this many likeliest tokens; 0 = off. Range 0 … 100000. Default 40. */
  readonly topK?: number | undefined;
  /** Drop tokens below this share of the likeliest; 0 = off. Range 0 … 1. Default 0. */
  readonly minP?: number | undefined;
  /** Weakens tokens seen lately; 1 = off. Range > 0 … 2. Default 1.1; T5 1. */
  readonly repeatPenalty?: number | undefined;
  /** Tokens the penalties look at; -1 = all, 0 = off. Range -1 … 4096. Default 64. */
  readonly repeatLastN?: number | undefined;
  /** Weakens tokens that occurred. Range -2 … 2. Default 0. */
  readonly presencePenalty?: number | undefined;
  /** Weakens tokens by how often they occurred. Range -2 … 2. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** Start of the random numbers; random and reported by default. Range 0 … 4294967295. */
  readonly seed?: number | undefined;
  /** Beams of the search (encoder-decoder models). Range 1 … 16. Default T5 1. */
  readonly numBeams?: number | undefined;
  /** Favours longer answers of a beam search (encoder-decoder models). Range -5 … 5. Default T5 1. */
  readonly lengthPenalty?: number | undefined;
  /** Answers of a beam search to return (encoder-decoder models). Range 1 … 16. Default T5 1. */
  readonly numReturnSequences?: number | undefined;
  /** No sequence of this many tokens twice; 0 = off (encoder-decoder models). Range 0 … 16. Default T5 0. */
  readonly noRepeatNgramSize?: number | undefined;
}
