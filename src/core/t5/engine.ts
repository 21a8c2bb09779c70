/**
 * Seq2SeqHandle over an OnnxRuntime: opens both graphs, turns text into tokens, searches, and turns tokens into text.
 * Runs beside the engine: in a child process in Node, in a worker in a page. Knows no engine and no process.
 */
import { isGpu } from "../devices.ts";
import { abortedError, SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { OnnxRuntime } from "../spec/onnx.ts";
import type {
  Candidate,
  DeviceReport,
  ManyPiece,
  ModelPiece,
  Seq2SeqGenerateOptions,
  Seq2SeqHandle,
  Seq2SeqOpenOptions,
} from "../spec/runtime.ts";
import { createStopFilter } from "../text/stop-filter.ts";
import { openTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { closedError } from "../text/turns.ts";
import { type BeamOptions, searchBeams } from "./beam-search.ts";
import { type BlockStore, openBlockFile } from "./block-file.ts";
import { DecoderState, type Encoded, encode, openT5Session, type T5Session } from "./decode.ts";
import { acceptT5, findT5Files, type T5Facts, t5Weights } from "./files.ts";
import { checkScores, type SearchOptions, searchTokens, takeBreath } from "./search.ts";
import { searchMany } from "./search-many.ts";

/** What the host adds: where to compute, and how to let messages through. */
export interface T5Host {
  readonly onnx: OnnxRuntime;
  readonly threads: number;
  /** Attempts before this runtime was taken; the report says what was tried. */
  readonly report: (device: { readonly threads: number }) => DeviceReport;
  /** Resolves in a later turn of the event loop. */
  readonly pause: () => Promise<void>;
  /** milliseconds, monotonic */
  readonly now: () => number;
  readonly notes?: readonly string[];
  readonly lowMemory?: boolean;
  /** Where quantised weights are kept; without it they are made at each load. */
  readonly blocks?: BlockStore;
}

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-memory, run-aborted
 */
export async function openT5(
  files: readonly ByteSource[],
  host: T5Host,
  options: Omit<Seq2SeqOpenOptions, "device" | "threads">,
): Promise<Seq2SeqHandle> {
  const { signal } = options;
  const found = findT5Files(files);
  const facts = await acceptT5(found, signal);
  const progress = (share: number): void => options.onProgress?.(share);
  progress(0);
  const tokenizer = await openTokenizer(found.tokenizer, {
    embeddingRows: facts.config.vocabSize,
    ...(signal === undefined ? {} : { signal }),
  });
  progress(0.1);
  const { variant } = options;
  const { reads16Bit, hasFastBlocks } = host.onnx;
  const isKept = variant !== "f32" && hasFastBlocks && host.blocks !== undefined;
  const blocks = isKept ? await openBlockFile(host.blocks, facts, found.weights, variant, signal) : undefined;
  const session = await openT5Session(
    facts.config,
    t5Weights(facts, { variant, reads16Bit, hasFastBlocks, ...(blocks === undefined ? {} : { blocks }) }),
    host.onnx,
    {
      threads: host.threads,
      ...(host.lowMemory === undefined ? {} : { lowMemory: host.lowMemory }),
      ...(signal === undefined ? {} : { signal }),
      onEncoder: () => progress(0.5),
    },
  );
  if (isGpu(host.onnx.device)) await tryStep(session);
  progress(1);
  const notes = variant === "f32" || hasFastBlocks ? [] : [`${variant} is computed in 8-bit integers on ${host.onnx.device}`];
  return createHandle(session, tokenizer, { ...facts, notes: [...facts.notes, ...notes] }, host, options.inputLength);
}

/**
 * One input of one token, one step: a card's first scores must be numbers, finite and not all the same, before the model is handed out. On a processor
 * the first answer finds out, at no cost.
 * @throws SpellError run-nan, and what the runtime throws
 */
async function tryStep(session: T5Session): Promise<void> {
  const { config } = session;
  let encoded: Encoded | undefined;
  let state: DecoderState | undefined;
  try {
    encoded = await encode(session, [[config.eosTokenIds[0] ?? config.padTokenId]]);
    state = new DecoderState(session, encoded, 1);
    checkScores(await state.step([config.decoderStartTokenId]));
  } catch (error) {
    await Promise.all([session.encoder.dispose(), session.decoder.dispose()]);
    throw error;
  } finally {
    state?.release();
    encoded?.release();
  }
}

/** What the encoder made of the newest input: asked again, with another seed or more beams, it is not computed again. */
interface Remembered {
  readonly key: string;
  readonly encoded: Encoded;
}

function createHandle(session: T5Session, tokenizer: Tokenizer, facts: T5Facts, host: T5Host, inputLength: number): Seq2SeqHandle {
  let alive = true;
  let last: Remembered | undefined;

  const searchOptions = (options: Seq2SeqGenerateOptions): SearchOptions => ({
    sampling: options.sampling,
    maxTokens: options.maxTokens,
    minTokens: facts.generation.minNewTokens ?? 0,
    noRepeatNgramSize: options.noRepeatNgramSize,
    suppressTokens: facts.generation.suppressTokens ?? [],
    endIds: new Set(facts.config.eosTokenIds),
    startId: facts.config.decoderStartTokenId,
    pause: async () => {
      await host.pause();
      if (!alive) throw closedError();
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
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
    const started = host.now();
    const isKnown = last !== undefined && last.key === ids.join();
    if (!isKnown) {
      last?.encoded.release();
      last = undefined;
      last = { key: ids.join(), encoded: await encode(session, [ids]) };
    }
    const encoded = (last as Remembered).encoded;
    const prefillMs = host.now() - started;
    const search = searchOptions(options);
    await takeBreath(search);
    const counts = { promptTokens: ids.length, cachedTokens: isKnown ? ids.length : 0, prefillMs };
    const decoding = host.now();
    if (options.numBeams > 1) {
      const { numBeams, lengthPenalty, numReturnSequences } = options;
      const answers = await searchBeams(session, encoded, {
        ...search,
        numBeams,
        lengthPenalty,
        numReturnSequences,
      } satisfies BeamOptions);
      const candidates = answers.map(({ ids: answer, score }): Candidate => ({ text: cut(tokenizer.decode(answer), options.stop), score }));
      const [best] = candidates;
      const [first] = answers;
      if (best !== undefined && best.text !== "") yield { type: "text", text: best.text };
      const isComplete = first !== undefined && search.endIds.has(first.ids[first.ids.length - 1] ?? -1);
      yield {
        type: "end",
        finishReason: isComplete ? "stop" : "length",
        ...counts,
        completionTokens: first?.ids.length ?? 0,
        decodeMs: host.now() - decoding,
        ...(numReturnSequences > 1 ? { candidates } : {}),
      };
      return;
    }
    const writer = createWriter(tokenizer, options.stop);
    let completionTokens = 0;
    let ended = false;
    for await (const id of searchTokens(session, encoded, ids, search)) {
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
    yield { type: "end", finishReason, ...counts, completionTokens, decodeMs: host.now() - decoding };
  }

  async function* generateMany(prompts: readonly string[], options: Seq2SeqGenerateOptions): AsyncGenerator<ManyPiece, void, undefined> {
    if (!alive) throw closedError();
    if (options.numBeams > 1) {
      // Beams of several inputs do not share a batch.
      for (const [index, prompt] of prompts.entries()) for await (const piece of generate(prompt, options)) yield { index, piece };
      return;
    }
    if (options.signal?.aborted === true) throw abortedError();
    const inputs = prompts.map(encodePrompt);
    const search = searchOptions(options);
    const started = host.now();
    const answers = inputs.map(() => ({ writer: createWriter(tokenizer, options.stop), tokens: 0, ended: false }));
    for await (const { index, id } of searchMany(session, inputs, search)) {
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
          decodeMs: host.now() - started,
        },
      };
    }
  }

  return {
    get alive() {
      return alive;
    },
    device: host.report({ threads: session.decoder.threads }),
    contextLength: inputLength,
    unsupported: [],
    notes: [
      ...facts.notes,
      ...(host.notes ?? []),
      ...(inputLength > facts.config.nPositions
        ? [`inputs of up to ${inputLength} tokens are taken; the model was trained on ${facts.config.nPositions}`]
        : []),
    ],
    generate,
    generateMany,
    async dispose() {
      if (!alive) return;
      alive = false;
      last?.encoded.release();
      await Promise.all([session.encoder.dispose(), session.decoder.dispose()]);
    },
  };
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
