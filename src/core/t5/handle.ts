/**
 * Seq2SeqHandle over token ids: checks an input's length, turns text into ids and ids into text, and counts. What computes the ids is an IdEngine:
 * our own graphs (engine.ts), or an exported model's (src/engines/transformers).
 */
import { abortedError, closedError, SpellError } from "../errors.ts";
import type { Candidate, DeviceReport, ManyPiece, ModelPiece, Seq2SeqGenerateOptions, Seq2SeqHandle } from "../spec/runtime.ts";
import type { BeamSampling, Sampling, TokenSampling } from "../spec/sampling.ts";
import { createStopFilter } from "../text/stop-filter.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { BeamAnswer } from "./beam-search.ts";
import type { T5Configs } from "./config.ts";
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

  const searchOptions = <S extends Sampling>(options: Seq2SeqGenerateOptions, sampling: S): SearchOptions<S> => ({
    sampling,
    maxTokens: options.maxTokens,
    minTokens: facts.generation.minNewTokens ?? 0,
    noRepeatNgramSize: options.noRepeatNgramSize,
    suppressTokens: facts.generation.suppressTokens ?? [],
    endIds: new Set(facts.config.eosTokenIds),
    startId: facts.config.decoderStartTokenId,
    pause: async () => {
      await pause();
      if (!alive) throw closedError();
    },
    signal: options.signal,
  });

  const encodePrompt = (prompt: string): readonly number[] => {
    const ids = tokenizer.encode(prompt);
    if (ids.length > inputLength) {
      throw new SpellError("run-context", `the input has ${ids.length} tokens; this model takes ${inputLength}`, {
        where: "prompt",
        details: { promptTokens: ids.length, contextLength: inputLength },
      });
    }
    return ids;
  };

  async function* generate(prompt: string, options: Seq2SeqGenerateOptions): AsyncGenerator<ModelPiece, void, undefined> {
    if (!alive) throw closedError();
    if (options.signal?.aborted === true) throw abortedError();
    const ids = encodePrompt(prompt);
    const started = now();
    const cachedTokens = (await engine.encode?.(ids)) ?? 0;
    let decoding = now();
    const { sampling } = options;
    const search = searchOptions(options, sampling);
    await takeBreath(search);
    const counts = () => ({ promptTokens: ids.length, cachedTokens, prefillMs: decoding - started, decodeMs: now() - decoding });
    if (sampling.kind === "beam" && engine.searchBeams !== undefined) {
      const answers = await engine.searchBeams({ ...search, sampling });
      const candidates = answers.map(({ ids: answer, score }): Candidate => ({ text: cut(tokenizer.decode(answer), options.stop), score }));
      const [best] = candidates;
      const [first] = answers;
      if (best !== undefined && best.text !== "") yield { type: "text", text: best.text };
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
    const writer = createWriter(tokenizer, options.stop);
    let completionTokens = 0;
    let ended = false;
    for await (const id of engine.search(ids, { ...search, sampling: withoutBeams(sampling) })) {
      if (completionTokens === 0 && engine.encode === undefined) decoding = now();
      completionTokens += 1;
      ended = search.endIds.has(id);
      if (ended) break;
      const text = writer.push(id);
      if (text !== "") yield { type: "text", text };
      if (writer.stopped) break;
    }
    const rest = writer.stopped ? "" : writer.finish();
    if (rest !== "") yield { type: "text", text: rest };
    const finishReason = ended || writer.stopped ? "stop" : "length";
    yield { type: "end", finishReason, ...counts(), completionTokens };
  }

  async function* generateMany(
    searchMany: NonNullable<IdEngine["searchMany"]>,
    prompts: readonly string[],
    options: Seq2SeqGenerateOptions,
  ): AsyncGenerator<ManyPiece, void, undefined> {
    if (!alive) throw closedError();
    const { sampling } = options;
    if (sampling.kind === "beam") {
      // Beams of several inputs do not share a batch.
      for (const [index, prompt] of prompts.entries()) for await (const piece of generate(prompt, options)) yield { index, piece };
      return;
    }
    if (options.signal?.aborted === true) throw abortedError();
    const inputs = prompts.map(encodePrompt);
    const search = searchOptions(options, sampling);
    const started = now();
    const answers = inputs.map(() => ({ writer: createWriter(tokenizer, options.stop), tokens: 0, ended: false }));
    for await (const { index, id } of searchMany(inputs, search)) {
      const answer = answers[index];
      if (answer === undefined || answer.ended) continue;
      answer.tokens += 1;
      const isEnd = search.endIds.has(id);
      const text = isEnd ? answer.writer.finish() : answer.writer.push(id);
      if (text !== "") yield { index, piece: { type: "text", text } };
      if (!isEnd && !answer.writer.stopped && answer.tokens < options.maxTokens) continue;
      answer.ended = true;
      const rest = isEnd || answer.writer.stopped ? "" : answer.writer.finish();
      if (rest !== "") yield { index, piece: { type: "text", text: rest } };
      yield {
        index,
        piece: {
          type: "end",
          finishReason: isEnd || answer.writer.stopped ? "stop" : "length",
          promptTokens: inputs[index]?.length ?? 0,
          cachedTokens: 0,
          completionTokens: answer.tokens,
          prefillMs: 0,
          decodeMs: now() - started,
        },
      };
    }
  }

  const { searchMany } = engine;
  return {
    get alive() {
      return alive;
    },
    device,
    contextLength: inputLength,
    unsupported: engine.searchBeams === undefined ? beamOptions : [],
    notes: [
      ...notes,
      ...(inputLength > facts.config.nPositions
        ? [`inputs of up to ${inputLength} tokens are taken; the model was trained on ${facts.config.nPositions}`]
        : []),
    ],
    generate,
    generateMany:
      searchMany === undefined
        ? undefined
        : (prompts: readonly string[], options: Seq2SeqGenerateOptions) => generateMany(searchMany, prompts, options),
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

/** Ids to text that is safe to show: whole characters, nothing of a stop string. */
function createWriter(tokenizer: Tokenizer, stops: readonly string[]) {
  const decoder = tokenizer.createStreamDecoder();
  const filter = createStopFilter(stops);
  let stopped = false;
  const take = (text: string): string => {
    const result = filter.push(text);
    stopped = result.stopped;
    return result.text;
  };
  return {
    /** whether a stop string was met; push nothing more then */
    get stopped() {
      return stopped;
    },
    push: (id: number): string => take(decoder.push(id)),
    /** what is left once the model has ended */
    finish(): string {
      const text = take(decoder.flush());
      return stopped ? text : text + filter.flush();
    },
  };
}

/** A text up to the first stop string. */
function cut(text: string, stops: readonly string[]): string {
  const { text: kept, stopped } = createStopFilter(stops).push(text);
  return stopped ? kept : text;
}
