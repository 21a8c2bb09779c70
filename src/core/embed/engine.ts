/**
 * An encoder on an OnnxRuntime: texts in, vectors of length 1 or scores of pairs out. Runs beside the engine: in a child process in Node, in a worker in a
 * page. Knows no engine, no process, and no family of models.
 */

import { closedError, SpellError, throwIfAborted } from "../errors.ts";
import type { WeightForms } from "../onnx/weights.ts";
import { isGpu } from "../spec/devices.ts";
import type { OnnxGraph, OnnxModel, OnnxRuntime } from "../spec/onnx.ts";
import type { DeviceReport, EmbeddedText, ModelEmbedOptions, ScoredText, Seq2SeqHandle, Seq2SeqOpenOptions } from "../spec/runtime.ts";
import { openTokenizer, type TokenizerFiles } from "../text/tokenizer.ts";
import { batchesByLength, onCard, onProcessor } from "./batches.ts";
import type { EncoderTask } from "./facts.ts";
import { type CutText, createCutter, createPairCutter } from "./truncate.ts";

/** What a family of models adds: its files, checked. */
export interface EncoderModel {
  /** `model_type` */
  readonly modelType: string;
  readonly task: EncoderTask;
  /** numbers of a vector */
  readonly dimensions: number;
  readonly vocabSize: number;
  readonly tokenizer: TokenizerFiles;
  graph(forms: WeightForms): OnnxModel;
  /** The graph's inputs, int64 [texts, length] each, padded on the right. */
  feed(texts: readonly CutText[], length: number): Readonly<Record<string, BigInt64Array>>;
  /** name of the graph's output */
  readonly output: string;
}

export type EncoderOptions = Pick<Seq2SeqOpenOptions, "variant" | "inputLength" | "pooling" | "onProgress" | "signal">;

/** What the host adds: where to compute, and how to let messages through. */
export interface EncoderHost {
  readonly onnx: OnnxRuntime;
  readonly threads: number;
  readonly report: (device: { readonly threads: number }) => DeviceReport;
  /** Resolves in a later turn of the event loop. */
  readonly pause: () => Promise<void>;
  readonly notes?: readonly string[] | undefined;
}

/**
 * Opens the model.
 * @throws SpellError tokenizer-*, onnx-*, device-memory, run-nan, run-aborted
 */
export async function openEncoder(
  model: EncoderModel,
  { onnx, threads, report, pause, notes = [] }: EncoderHost,
  { variant, inputLength, onProgress, signal }: EncoderOptions,
): Promise<Seq2SeqHandle> {
  const { task, modelType, dimensions } = model;
  onProgress?.(0);
  const tokenizer = await openTokenizer(model.tokenizer, { embeddingRows: model.vocabSize, signal });
  onProgress?.(0.2);
  const graph = await onnx.open(model.graph({ variant, rows: "many", runtime: onnx }), { threads, keepOnDevice: [], signal });
  const run = (batch: readonly CutText[]): Promise<readonly Float32Array[]> => runBatch(graph, onnx, model, batch);
  try {
    // The first numbers of a device must be numbers.
    await run([{ ids: tokenizer.encode("a").slice(0, 8) }]);
  } catch (error) {
    await graph.dispose();
    throw error;
  }
  onProgress?.(1);

  const contextLength = Math.min(inputLength, task.contextLength);
  let alive = true;

  /** What the model makes of each input, with its place. */
  async function* answers(inputs: readonly CutText[], stop: AbortSignal | undefined): AsyncGenerator<Answer, void, undefined> {
    for (const batch of batchesByLength(
      inputs.map(({ ids }) => ids.length),
      isGpu(onnx.device) ? onCard : onProcessor,
    )) {
      await pause();
      if (!alive) throw closedError();
      throwIfAborted(stop);
      const rows = await run(batch.map((index) => inputs[index] ?? { ids: [] }));
      for (const [row, index] of batch.entries()) {
        const [values, input] = [rows[row], inputs[index]];
        if (values === undefined || input === undefined) throw new SpellError("internal-error", `no answer for text ${index}`);
        yield { values, index, tokens: input.ids.length, wholeTokens: input.wholeTokens };
      }
    }
  }

  const cut = createCutter(tokenizer, contextLength);
  async function* embed(
    texts: readonly string[],
    { truncate, countOnly, signal: stop }: ModelEmbedOptions,
  ): AsyncGenerator<EmbeddedText, void, undefined> {
    if (!alive) throw closedError();
    if (countOnly === true) {
      const around = tokenizer.encode("").length;
      for (const [index, text] of texts.entries()) {
        if (index % 256 === 255) await pause();
        throwIfAborted(stop);
        yield { index, tokens: Math.max(0, tokenizer.encode(text).length - around), vector: new Float32Array() };
      }
      return;
    }
    const inputs = texts.map((text, index) => cut(text, index, truncate));
    for await (const { values: vector, ...read } of answers(inputs, stop)) yield { ...read, vector };
  }

  const cutPair = createPairCutter(tokenizer, contextLength);
  async function* rerank(
    query: string,
    texts: readonly string[],
    { truncate, signal: stop }: ModelEmbedOptions,
  ): AsyncGenerator<ScoredText, void, undefined> {
    if (!alive) throw closedError();
    const inputs = texts.map((text, index) => cutPair(query, text, index, truncate));
    for await (const { values, ...read } of answers(inputs, stop)) yield { ...read, score: values[0] ?? 0 };
  }

  return {
    get alive() {
      return alive;
    },
    device: report({ threads: graph.threads }),
    contextLength,
    unsupported: [],
    notes: [
      ...task.notes,
      ...(variant === "f32" || onnx.fastBlocks !== "never" ? [] : [`${variant} is computed in 8-bit integers on ${onnx.device}`]),
      ...notes,
    ],
    ...(task.use === "embed" ? { embed, dimensions, countsTokens: true } : { rerank }),
    // biome-ignore lint/correctness/useYield: it refuses
    async *generate() {
      throw new SpellError("run-option", `${modelType} models write no text`);
    },
    async dispose() {
      if (!alive) return;
      alive = false;
      await graph.dispose();
    },
  };
}

interface Answer extends Omit<EmbeddedText, "vector"> {
  /** a vector, or one score */
  readonly values: Float32Array;
}

/** One pass over inputs of like length. @throws SpellError run-nan, and what the runtime throws */
async function runBatch(
  graph: OnnxGraph,
  runtime: OnnxRuntime,
  { feed, output, task, dimensions }: EncoderModel,
  inputs: readonly CutText[],
): Promise<readonly Float32Array[]> {
  const length = Math.max(...inputs.map(({ ids }) => ids.length));
  const fed = Object.entries(feed(inputs, length)).map(
    ([name, data]) => [name, runtime.tensor("int64", data, [inputs.length, length])] as const,
  );
  const answer = (await graph.run(Object.fromEntries(fed)))[output];
  const width = task.use === "rerank" ? 1 : dimensions;
  const values = (await answer?.read()) as Float32Array;
  answer?.release();
  if (!values.every(Number.isFinite)) throw new SpellError("run-nan", `what the model makes of ${inputs.length} texts are no numbers`);
  return inputs.map((_, row) => values.slice(row * width, (row + 1) * width));
}
