/**
 * A T5 checkpoint on an OnnxRuntime: opens both graphs and searches answers over them. Text comes in and goes out in handle.ts.
 * Runs beside the engine: in a child process in Node, in a worker in a page. Knows no engine and no process.
 */

import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isGpu } from "../spec/devices.ts";
import type { OnnxRuntime } from "../spec/onnx.ts";
import type { DeviceReport, Seq2SeqHandle, Seq2SeqOpenOptions, Seq2SeqVariant } from "../spec/runtime.ts";
import { openTokenizer } from "../text/tokenizer.ts";
import { searchBeams } from "./beam-search.ts";
import type { BlockStore } from "./block-file.ts";
import { DecoderState, type Encoded, encode, openT5Session, type SessionWeights, type T5Session } from "./decode.ts";
import { acceptT5, findT5Files } from "./files.ts";
import { createIdHandle, type IdEngine } from "./handle.ts";
import { rateAnswers } from "./rate.ts";
import { checkScores, searchTokens } from "./search.ts";
import { searchMany } from "./search-many.ts";
import { rowForms, sessionWeights } from "./session-weights.ts";

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
  readonly notes?: readonly string[] | undefined;
  readonly lowMemory?: boolean | undefined;
  /** Where quantised weights are kept; without it they are made at each load. */
  readonly blocks?: BlockStore | undefined;
}

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-memory, run-nan, run-aborted
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
  const tokenizer = await openTokenizer(found.tokenizer, { embeddingRows: facts.config.vocabSize, signal });
  progress(0.1);
  const { variant, draft } = options;
  const { fastBlocks } = host.onnx;
  const drafts = draft !== undefined && draft !== variant && fastBlocks !== "never";
  const { lowMemory, threads } = host;
  const weightsOf = (form: Seq2SeqVariant): Promise<SessionWeights> =>
    sessionWeights(facts, found.weights, { variant: form, runtime: host.onnx, store: host.blocks, lowMemory, signal });
  const weights = { ...(await weightsOf(variant)), draft: drafts ? (await weightsOf(draft)).decoder : undefined };
  const session = await openT5Session(facts.config, weights, host.onnx, {
    threads,
    lowMemory,
    signal,
    now: host.now,
    onHalf: () => progress(0.5),
  });
  if (isGpu(host.onnx.device)) await tryStep(session);
  progress(1);
  const forms = rowForms({ variant, runtime: host.onnx, lowMemory });
  const notes = [
    ...(forms.many === undefined
      ? []
      : [`inputs, and batches and beams of ${forms.many.from} and more, are computed in 8-bit integers, which is faster there`]),
    ...(variant === "f32" || fastBlocks !== "never" ? [] : [`${variant} is computed in 8-bit integers on ${host.onnx.device}`]),
    ...(draft === undefined || drafts ? [] : [`a draft in ${draft} is no faster than ${variant} on ${host.onnx.device}; it was left out`]),
  ];
  return createIdHandle({
    engine: sessionEngine(session),
    tokenizer,
    facts,
    device: { ...host.report({ threads: session.decoder.threads }), forms },
    inputLength: options.inputLength,
    notes: [...facts.notes, ...notes, ...(host.notes ?? [])],
    pause: host.pause,
    now: host.now,
  });
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
    await session.dispose();
    throw error;
  } finally {
    state?.release();
    encoded?.release();
  }
}

/** What the encoder made of the newest input is kept: asked again, with another seed or more beams, it is not computed again. */
function sessionEngine(session: T5Session): IdEngine {
  let last: { readonly key: string; readonly encoded: Encoded } | undefined;
  const encoded = (): Encoded => {
    if (last === undefined) throw new SpellError("internal-error", "no input was encoded");
    return last.encoded;
  };
  return {
    async encode(ids) {
      const key = ids.join();
      if (last?.key === key) {
        await session.table?.check();
        return ids.length;
      }
      last?.encoded.release();
      last = undefined;
      last = { key, encoded: await encode(session, [ids]) };
      return 0;
    },
    holdsForms: true,
    rate: (answers, startId, wait) => rateAnswers(session, encoded(), answers, startId, wait),
    search: (ids, options) => searchTokens(session, encoded(), ids, options),
    searchBeams: (options) => searchBeams(session, encoded(), options),
    searchMany: (inputs, options) => searchMany(session, inputs, options),
    async dispose() {
      last?.encoded.release();
      await session.dispose();
    },
  };
}
