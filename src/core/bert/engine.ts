/**
 * An encoder of the BERT family on an OnnxRuntime: texts in, vectors of length 1 or scores of pairs out. Runs beside the engine: in a child process in Node, in a worker in a
 * page. Knows no engine and no process.
 */

import { batchesByLength } from "../embed/batches.ts";
import { type CutText, createCutter, createPairCutter } from "../embed/truncate.ts";
import { closedError, SpellError, throwIfAborted } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { storedWeights } from "../onnx/weights.ts";
import type { OnnxGraph, OnnxRuntime } from "../spec/onnx.ts";
import type {
  DeviceReport,
  EmbeddedText,
  EncoderUse,
  ModelEmbedOptions,
  ScoredText,
  Seq2SeqHandle,
  Seq2SeqOpenOptions,
} from "../spec/runtime.ts";
import { openTokenizer } from "../text/tokenizer.ts";
import type { BertConfig } from "./config.ts";
import { acceptBert, findBertFiles } from "./files.ts";
import { bertGraph, names } from "./graph.ts";
import { findBertTensors } from "./weights.ts";

/** What the host adds: where to compute, and how to let messages through. */
export interface BertHost {
  readonly onnx: OnnxRuntime;
  readonly threads: number;
  readonly report: (device: { readonly threads: number }) => DeviceReport;
  /** Resolves in a later turn of the event loop. */
  readonly pause: () => Promise<void>;
  readonly notes?: readonly string[] | undefined;
}

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, safetensors-*, tokenizer-*, onnx-*, device-memory, run-nan, run-aborted
 */
export async function openBert(
  files: readonly ByteSource[],
  { onnx, threads, report, pause, notes = [] }: BertHost,
  { variant, inputLength, onProgress, signal }: Pick<Seq2SeqOpenOptions, "variant" | "inputLength" | "onProgress" | "signal">,
): Promise<Seq2SeqHandle> {
  const found = findBertFiles(files);
  const { config, task, tensors } = await acceptBert(found, signal);
  onProgress?.(0);
  const tokenizer = await openTokenizer(found.tokenizer, { embeddingRows: config.vocabSize, signal });
  onProgress?.(0.2);
  const { reads16Bit, hasFastBlocks } = onnx;
  const weights = storedWeights(findBertTensors(tensors, config, task), { variant, reads16Bit, hasFastBlocks });
  const graph = await onnx.open(bertGraph(config, weights, task), { threads, keepOnDevice: [], signal });
  const run = (batch: readonly CutText[]): Promise<readonly Float32Array[]> => runBatch(graph, onnx, config, batch, task.use);
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
    for (const batch of batchesByLength(inputs.map(({ ids }) => ids.length))) {
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
    { truncate, signal: stop }: ModelEmbedOptions,
  ): AsyncGenerator<EmbeddedText, void, undefined> {
    if (!alive) throw closedError();
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
      ...(variant === "f32" || hasFastBlocks ? [] : [`${variant} is computed in 8-bit integers on ${onnx.device}`]),
      ...notes,
    ],
    ...(task.use === "embed" ? { embed, dimensions: config.hiddenSize } : { rerank }),
    // biome-ignore lint/correctness/useYield: it refuses
    async *generate() {
      throw new SpellError("run-option", `${config.modelType} models write no text`);
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
  { firstPosition, padTokenId, hiddenSize, tokenTypes }: BertConfig,
  inputs: readonly CutText[],
  use: EncoderUse,
): Promise<readonly Float32Array[]> {
  const length = Math.max(...inputs.map(({ ids }) => ids.length));
  const shape = [inputs.length, length];
  const zeros = (): BigInt64Array => new BigInt64Array(inputs.length * length);
  const [ids, mask, positions, types] = [zeros(), zeros(), zeros(), zeros()];
  for (const [row, input] of inputs.entries()) {
    let next = firstPosition;
    for (const [column, id] of input.ids.entries()) {
      const at = row * length + column;
      ids[at] = BigInt(id);
      mask[at] = 1n;
      positions[at] = BigInt(id === padTokenId ? id : next++);
      // RoBERTa knows no types, whatever its tokenizer says
      types[at] = BigInt(padTokenId === undefined ? Math.min(input.types?.[column] ?? 0, tokenTypes - 1) : 0);
    }
  }
  const tensor = (data: BigInt64Array) => runtime.tensor("int64", data, shape);
  const outputs = await graph.run({
    [names.ids]: tensor(ids),
    [names.mask]: tensor(mask),
    [names.positions]: tensor(positions),
    ...(use === "rerank" && { [names.types]: tensor(types) }),
  });
  const output = outputs[use === "rerank" ? names.score : names.embedding];
  const width = use === "rerank" ? 1 : hiddenSize;
  const values = (await output?.read()) as Float32Array;
  output?.release();
  if (!values.every(Number.isFinite)) throw new SpellError("run-nan", `what the model makes of ${inputs.length} texts are no numbers`);
  return inputs.map((_, row) => values.slice(row * width, (row + 1) * width));
}
