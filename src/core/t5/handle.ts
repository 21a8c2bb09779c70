/**
 * Seq2SeqHandle over token ids: checks an input's length, turns text into ids and ids into text, and counts. What computes the ids is an IdEngine:
 * our own graphs (engine.ts), or an exported model's (src/engines/transformers).
 */
import { closedError, SpellError, throwIfAborted } from "../errors.ts";
import { amongThemselves } from "../grammar/choice-odds.ts";
import { chooseAmong } from "../sampling.ts";
import type { Candidate, DeviceReport, ManyPiece, ModelPiece, Seq2SeqGenerateOptions, Seq2SeqHandle } from "../spec/runtime.ts";
import type { BeamSampling, Sampling, TokenSampling } from "../spec/sampling.ts";
import { createStopFilter } from "../text/stop-filter.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { once } from "../values.ts";
import type { BeamAnswer } from "./beam-search.ts";
import type { T5Configs } from "./config.ts";
import type { Hold } from "./hold.ts";
import { type SearchOptions, takeBreath } from "./search.ts";
import type { RowToken } from "./search-many.ts";

/** Answers inputs of token ids. One call at a time. */
export interface IdEngine {
  /**
   * Takes an input in; what follows answers it. Absent where that is part of the search. @returns how many of its ids were known from the call before
   */
  encode?(ids: readonly number[]): Promise<number>;
  /** Ids as they are found, the end token too: it is the last. Ends after `maxTokens` otherwise. */
  search(ids: readonly number[], options: SearchOptions): AsyncGenerator<number, void, undefined>;
  /** Whether its searches hold an answer to a form. */
  readonly holdsForms?: true | undefined;
  /** Log-probability of each answer, as a whole, to the input that encode() took. @param answers ids, end token included */
  rate?(answers: readonly (readonly number[])[], startId: number, pause: () => Promise<void>): Promise<readonly number[]>;
  /** Answers, best first. Absent where beams cannot be searched. */
  searchBeams?(options: SearchOptions<BeamSampling>): Promise<readonly BeamAnswer[]>;
  /** Several inputs at once. Absent where they would be answered one after the other. */
  searchMany?(inputs: readonly (readonly number[])[], options: SearchOptions): AsyncGenerator<RowToken, void, undefined>;
  dispose(): Promise<void>;
}

export interface IdHandleParts {
  readonly engine: IdEngine;
  readonly tokenizer: Tokenizer;
  readonly facts: Pick<T5Configs, "config" | "generation">;
  readonly device: DeviceReport;
  /** tokens of one input; a longer one is refused */
  readonly inputLength: number;
  readonly notes: readonly string[];
  /** Resolves in a later turn of the event loop. */
  readonly pause: () => Promise<void>;
  /** milliseconds, monotonic */
  readonly now: () => number;
}

/** Options that only a search with beams knows. */
const beamOptions = ["numBeams", "lengthPenalty", "numReturnSequences"];

export function createIdHandle({ engine, tokenizer, facts, device, inputLength, notes, pause, now }: IdHandleParts): Seq2SeqHandle {
  let alive = true;

  const endIds = new Set(facts.config.eosTokenIds);
  const vocabulary = once(async () => {
    const { createVocabulary } = await import("./hold.ts");
    const unwanted = new Set(facts.generation.suppressTokens);
    const texts = (await tokenizer.texts()).slice(0, facts.config.vocabSize);
    return createVocabulary(texts.map((text, id) => (unwanted.has(id) || endIds.has(id) ? "" : text)));
  });
  let last: { readonly key: string; readonly hold: Hold } | undefined;
  /** What holds the answers of a call; that of the call before where it asks for the same. */
  const holdOf = async ({ constraint, sampling }: Seq2SeqGenerateOptions): Promise<Hold | undefined> => {
    if (constraint === undefined) return undefined;
    const refuse = (where: string, what: string): SpellError => new SpellError("run-option", `${where}: expected ${what}`, { where });
    if (engine.holdsForms !== true) throw refuse(constraint.kind, "none for an exported model; its checkpoint takes it");
    if (sampling.kind === "beam") throw refuse("numBeams", "1 where the answer keeps a form");
    const key = JSON.stringify(constraint);
    if (last?.key === key) return last.hold;
    const { createHold } = await import("./hold.ts");
    last = { key, hold: createHold(await vocabulary(), constraint, endIds) };
    return last.hold;
  };
  // What forbids tokens could forbid the only one that fits: suppressed ones are left out of the vocabulary instead.
  const searchOptions = <S extends Sampling>(options: Seq2SeqGenerateOptions, sampling: S, hold: Hold | undefined): SearchOptions<S> => ({
    sampling,
    hold,
    maxTokens: options.maxTokens,
    minTokens: hold === undefined ? facts.generation.minNewTokens : 0,
    noRepeatNgramSize: hold === undefined ? options.noRepeatNgramSize : 0,
    suppressTokens: hold === undefined ? facts.generation.suppressTokens : [],
    endIds,
    startId: facts.config.decoderStartTokenId,
    pause: async () => {
      await pause();
      if (!alive) throw closedError();
    },
    signal: options.signal,
  });

  /** @param index among several prompts */
  const encodePrompt = (prompt: string, index?: number): readonly number[] => {
    const ids = tokenizer.encode(prompt);
    if (ids.length > inputLength) {
      const which = index === undefined ? "the input" : `prompt ${index + 1}`;
      throw new SpellError("run-context", `${which} has ${ids.length} tokens; this model takes ${inputLength}`, {
        where: index === undefined ? "prompt" : `prompts[${index}]`,
        details: { ...(index !== undefined && { index }), promptTokens: ids.length, contextLength: inputLength },
      });
    }
    return ids;
  };

  async function* generate(prompt: string, options: Seq2SeqGenerateOptions, index?: number): AsyncGenerator<ModelPiece, void, undefined> {
    if (!alive) throw closedError();
    throwIfAborted(options.signal);
    const ids = encodePrompt(prompt, index);
    const hold = await holdOf(options);
    const started = now();
    const cachedTokens = (await engine.encode?.(ids)) ?? 0;
    let decoding = now();
    const { sampling } = options;
    const search = searchOptions(options, sampling, hold);
    await takeBreath(search);
    const counts = () => ({ promptTokens: ids.length, cachedTokens, prefillMs: decoding - started, decodeMs: now() - decoding });
    if (sampling.kind === "beam" && engine.searchBeams !== undefined) {
      const answers = await engine.searchBeams({ ...search, sampling });
      const candidates = answers.map(({ ids: answer, score }): Candidate => ({ text: cut(tokenizer.decode(answer), options.stop), score }));
      const [first] = answers;
      const best = first === undefined ? "" : tokenizer.decode(first.ids);
      if (best !== "") yield { type: "text", text: best };
      const isComplete = first !== undefined && search.endIds.has(first.ids[first.ids.length - 1] ?? -1);
      yield {
        type: "end",
        finishReason: isComplete ? "stop" : "length",
        ...counts(),
        completionTokens: first?.ids.length ?? 0,
        candidates: sampling.numReturnSequences > 1 ? candidates : undefined,
      };
      return;
    }
    const rated = await rateChoices(options, search);
    if (rated !== undefined) {
      const { text, tokens } = rated.choose(withoutBeams(sampling));
      // one that has no room is written token by token, up to where it is cut
      if (tokens <= options.maxTokens) {
        yield { type: "text", text };
        yield { type: "end", finishReason: "stop", ...counts(), completionTokens: tokens, choiceLogprobs: rated.logprobs };
        return;
      }
    }
    const answer = startAnswer(tokenizer, search, options.stop);
    for await (const id of engine.search(ids, { ...search, sampling: withoutBeams(sampling) })) {
      if (answer.tokens === 0 && engine.encode === undefined) decoding = now();
      yield* answer.push(id);
      if (answer.finishReason !== undefined) break;
    }
    yield* answer.end({ ...counts(), choiceLogprobs: rated?.logprobs });
  }

  /** Each choice as a whole answer, and the one that is chosen. Only while the engine holds the input. */
  async function rateChoices(
    { constraint }: Seq2SeqGenerateOptions,
    { hold, startId, pause: wait }: SearchOptions<Sampling>,
  ): Promise<RatedChoices | undefined> {
    if (constraint?.kind !== "choices" || hold === undefined) return undefined;
    const [endId] = endIds;
    const answers = constraint.choices.map((text) => {
      const ids = tokenizer.encode(hold.spell(text));
      return endId === undefined || endIds.has(ids.at(-1) ?? endId) ? ids : [...ids, endId];
    });
    const sums = await engine.rate?.(answers, startId, wait);
    if (sums === undefined) return undefined;
    const { choices } = constraint;
    return {
      logprobs: amongThemselves(sums),
      choose(how) {
        const place = chooseAmong(sums, how);
        return { text: choices[place] ?? "", tokens: answers[place]?.length ?? 0 };
      },
    };
  }

  async function* generateMany(
    searchMany: IdEngine["searchMany"],
    prompts: readonly string[],
    options: Seq2SeqGenerateOptions,
  ): AsyncGenerator<ManyPiece, void, undefined> {
    if (!alive) throw closedError();
    const { sampling } = options;
    if (searchMany === undefined || sampling.kind === "beam" || options.constraint?.kind === "choices") {
      // Beams of several inputs do not share a batch, nor do choices, which are rated for each.
      for (const [index, prompt] of prompts.entries()) for await (const piece of generate(prompt, options, index)) yield { index, piece };
      return;
    }
    throwIfAborted(options.signal);
    const inputs = prompts.map((prompt, index) => encodePrompt(prompt, index));
    const search = searchOptions(options, sampling, await holdOf(options));
    const started = now();
    const answers = inputs.map(() => startAnswer(tokenizer, search, options.stop));
    for await (const { index, id } of searchMany(inputs, search)) {
      const answer = answers[index];
      if (answer === undefined || answer.finishReason !== undefined) continue;
      for (const piece of answer.push(id)) yield { index, piece };
      if (answer.finishReason === undefined) continue;
      const promptTokens = inputs[index]?.length ?? 0;
      for (const piece of answer.end({ promptTokens, cachedTokens: 0, prefillMs: 0, decodeMs: now() - started })) yield { index, piece };
    }
  }

  const { searchMany } = engine;
  return {
    get alive() {
      return alive;
    },
    device,
    contextLength: inputLength,
    unsupported: ["save", ...(engine.searchBeams === undefined ? beamOptions : [])],
    notes: [
      ...notes,
      ...(inputLength > facts.config.nPositions
        ? [`inputs of up to ${inputLength} tokens are taken; the model was trained on ${facts.config.nPositions}`]
        : []),
    ],
    generate: (prompt, options) => generate(prompt, options),
    generateMany: (prompts, options) => generateMany(searchMany, prompts, options),
    async dispose() {
      if (!alive) return;
      alive = false;
      await engine.dispose();
    },
  };
}

/** What an engine does that searches no beams. */
function withoutBeams(sampling: Sampling): TokenSampling {
  return sampling.kind === "beam" ? { kind: "greedy", seed: sampling.seed, penalties: sampling.penalties } : sampling;
}

type End = Extract<ModelPiece, { type: "end" }>;

interface RatedChoices {
  /** of each choice among them alone */
  readonly logprobs: readonly number[];
  /** @returns a choice, and its tokens with the end token */
  readonly choose: (how: TokenSampling) => { readonly text: string; readonly tokens: number };
}

/** One answer on its way: ids in, pieces out. A stop string ends it and may be in the pieces: core cuts it. */
function startAnswer(tokenizer: Tokenizer, { endIds, maxTokens, hold }: SearchOptions<Sampling>, stops: readonly string[]) {
  // The text of a form is what its own walk reads: a tokenizer would lose spaces, and letters that others stand for.
  const decoder = hold === undefined ? tokenizer.createStreamDecoder() : hold.createDecoder();
  const filter = createStopFilter(stops);
  let tokens = 0;
  let finishReason: End["finishReason"] | undefined;
  function* show(text: string): Generator<ModelPiece, void, undefined> {
    if (filter.push(text).stop !== undefined) finishReason = "stop";
    if (text !== "") yield { type: "text", text };
  }
  return {
    get tokens() {
      return tokens;
    },
    /** set once the answer is complete; push nothing more then */
    get finishReason() {
      return finishReason;
    },
    *push(id: number): Generator<ModelPiece, void, undefined> {
      tokens += 1;
      if (endIds.has(id)) finishReason = "stop";
      else {
        if (tokens >= maxTokens) finishReason = "length";
        yield* show(decoder.push(id));
      }
    },
    /** what is left once the model has ended */
    *end(counts: Omit<End, "type" | "finishReason" | "completionTokens">): Generator<ModelPiece, void, undefined> {
      yield* show(decoder.flush());
      yield { type: "end", finishReason: finishReason ?? "length", ...counts, completionTokens: tokens };
    },
  };
}

/** A text up to the first stop string. */
function cut(text: string, stops: readonly string[]): string {
  const { text: kept, stop } = createStopFilter(stops).push(text);
  return stop !== undefined ? kept : text;
}
