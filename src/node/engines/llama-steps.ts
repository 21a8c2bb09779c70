/**
 * Steps of decoding by the shortest road. node-llama-cpp's own loop copies its list of tokens, takes two locks, waits a turn of the event loop and sends
 * all settings of its sampler with each token: 0.3 to 0.5 ms, as long as a small model computes. What stands here is not in the package's types, so it is
 * taken for the version that was looked at only, and where it is there; otherwise that loop runs.
 */
import type { Llama, LlamaContextSequence, LlamaGrammarEvaluationState, LlamaModel, Token } from "node-llama-cpp";
import type { Forced } from "./llama-forced.ts";
import type { Guesser } from "./llama-guess.ts";
import { engineVersion, packedVersion } from "./llama-start.ts";

/** What the binding's sampler reads; the names are its own. */
export interface SamplerConfig {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: number;
  readonly repeatPenalty?: number;
  readonly repeatPenaltyMaxTokens?: number;
  /** the last tokens before the first step; the sampler adds what it draws */
  readonly repeatPenaltyTokens?: Uint32Array;
  readonly repeatPenaltyPresencePenalty?: number;
  readonly repeatPenaltyFrequencyPenalty?: number;
  readonly grammarEvaluationState?: object;
}

interface AddonSampler {
  applyConfig(config: SamplerConfig): void;
  dispose(): void;
}

interface AddonContext {
  initBatch(size: number): void;
  /** @returns where the numbers stand of each token that was asked for */
  addToBatch(sequence: number, position: number, tokens: Uint32Array, wanted: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  /** @returns -1 where none can be drawn */
  sampleToken(index: number, sampler: AddonSampler): Promise<number>;
  setThreads(threads: number): void;
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
}

/** What is used of the package's own objects. */
interface Inside {
  readonly llama: { readonly _bindings: { readonly AddonSampler: new (model: object) => AddonSampler } };
  readonly model: { readonly _model: object };
  readonly sequence: { readonly _sequenceId: number; _nextTokenIndex: number; readonly _contextTokens: Token[] };
  readonly context: {
    readonly _ctx: AddonContext;
    readonly _backendContextDisposeGuard: { createPreventDisposalHandle(): { dispose(): void } };
  };
}

/** One thread of libuv's pool runs its work in order: a draw may be queued behind its step without waiting for that in between. Bun and Deno have no such pool. */
const runsInOrder =
  process.env["UV_THREADPOOL_SIZE"] === "1" && process.versions["bun"] === undefined && process.versions["deno"] === undefined;

/** What is computed ahead of its draw, or needs none. */
export interface Ahead {
  readonly guesser?: Guesser | undefined;
  readonly forced?: Forced | undefined;
  /** tokens of the answer, at most */
  readonly most: number;
}

/**
 * @param first tokens to compute before the first draw
 * @param config names of the binding; see toSamplerConfig() in llama-generate.ts
 * @returns undefined where the package's own loop has to run
 */
export function directSteps(
  { llama, model, sequence }: { readonly llama: Llama; readonly model: LlamaModel; readonly sequence: LlamaContextSequence },
  first: readonly Token[],
  config: SamplerConfig,
  form?: LlamaGrammarEvaluationState | undefined,
  ahead?: Ahead | undefined,
): AsyncGenerator<Token, void, undefined> | undefined {
  // Checkpoints are its loop's business; of graphics cards none was at hand to measure one.
  if (engineVersion() !== packedVersion || llama.gpu !== false || sequence.needsCheckpoints) return undefined;
  const inside = { llama, model, sequence, context: sequence.context } as unknown as Inside;
  const state = form === undefined ? undefined : (form as unknown as { readonly _state?: object })._state;
  if (!isWhole(inside) || (form !== undefined && state === undefined)) return undefined;
  const threads = (): number => llama.maxThreads;
  return steps(inside, first, { ...config, ...(state !== undefined && { grammarEvaluationState: state }) }, threads, ahead);
}

/** Whether everything that is used is there. */
function isWhole({ llama, model, sequence, context }: Inside): boolean {
  const isFunction = (value: unknown): boolean => typeof value === "function";
  return (
    isFunction(llama._bindings?.AddonSampler) &&
    model._model !== undefined &&
    typeof sequence._sequenceId === "number" &&
    typeof sequence._nextTokenIndex === "number" &&
    Array.isArray(sequence._contextTokens) &&
    isFunction(context._backendContextDisposeGuard?.createPreventDisposalHandle) &&
    (["initBatch", "addToBatch", "decodeBatch", "sampleToken", "setThreads", "removeTokenCellsFromSequence"] as const).every((name) =>
      isFunction(context._ctx?.[name]),
    )
  );
}

async function* steps(
  { llama, model, sequence, context }: Inside,
  first: readonly Token[],
  config: SamplerConfig,
  threads: () => number,
  { guesser, forced, most = 0 }: Partial<Ahead> = {},
): AsyncGenerator<Token, void, undefined> {
  const { _ctx: binding } = context;
  // A context that is being freed waits for this.
  const hold = context._backendContextDisposeGuard.createPreventDisposalHandle();
  const sampler = new llama._bindings.AddonSampler(model._model);
  try {
    sampler.applyConfig(config);
    let known = first;
    let drawn = 0;
    for (;;) {
      const started = performance.now();
      const due = forced?.next(most - drawn - 1) ?? [];
      known = [...known, ...due];
      const guessed = (drawn === 0 || due.length > 0 ? undefined : guesser?.guess(most - drawn - 1)) ?? [];
      const tokens = Uint32Array.from([...known, ...guessed]);
      const start = sequence._nextTokenIndex;
      binding.initBatch(tokens.length);
      // numbers after the last known token, and after each guess
      const wanted = Uint32Array.from({ length: guessed.length + 1 }, (_, index) => known.length - 1 + index);
      const places = binding.addToBatch(sequence._sequenceId, start, tokens, wanted);
      binding.setThreads(threads());
      const decoded = binding.decodeBatch();
      if (!runsInOrder) await decoded;
      // One draw after the other: the sampler sees no token that does not come, whatever it counts or draws.
      const came: number[] = [];
      for (const place of places) {
        const [token] = await Promise.all([binding.sampleToken(place, sampler), decoded]);
        came.push(token);
        if (token !== guessed[came.length - 1]) break;
      }
      const right = came.length - 1;
      const computed = known.length + right;
      if (computed < tokens.length) binding.removeTokenCellsFromSequence(sequence._sequenceId, start + computed, -1);
      // the sequence's own list, as its own loop keeps it
      sequence._nextTokenIndex = start + computed;
      for (const token of tokens.subarray(0, computed)) sequence._contextTokens.push(token as Token);
      if (drawn > 0 && due.length === 0) guesser?.told(guessed.length, right, performance.now() - started);
      for (const token of [...due, ...came]) {
        if (token < 0) throw new Error("Failed to sample next token");
        guesser?.push(token);
        drawn += 1;
        yield token as Token;
      }
      known = came.slice(-1) as Token[];
    }
  } finally {
    sampler.dispose();
    hold.dispose();
  }
}
