/**
 * An encoder of the BERT family on an OnnxRuntime: texts in, vectors of length 1 out. Runs beside the engine: in a child process in Node, in a worker in a
 * page. Knows no engine and no process.
 */
import { closedError, SpellError, throwIfAborted } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { storedWeights } from "../onnx/weights.ts";
import type { OnnxGraph, OnnxRuntime } from "../spec/onnx.ts";
import type { DeviceReport, EmbeddedText, ModelEmbedOptions, Seq2SeqHandle, Seq2SeqOpenOptions } from "../spec/runtime.ts";
import { openTokenizer } from "../text/tokenizer.ts";
import { batchesByLength } from "./batches.ts";
import type { BertConfig } from "./config.ts";
import { acceptBert, findBertFiles } from "./files.ts";
import { bertGraph, names } from "./graph.ts";
import { type CutText, createCutter } from "./truncate.ts";
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
  const { config, sentence, tensors } = await acceptBert(found, signal);
  onProgress?.(0);
  const tokenizer = await openTokenizer(found.tokenizer, { embeddingRows: config.vocabSize, signal });
  onProgress?.(0.2);
  const { reads16Bit, hasFastBlocks } = onnx;
  const weights = storedWeights(findBertTensors(tensors, config), { variant, reads16Bit, hasFastBlocks });
  const graph = await onnx.open(bertGraph(config, weights, sentence.pooling), { threads, keepOnDevice: [], signal });
  const run = (batch: readonly (readonly number[])[]): Promise<readonly Float32Array[]> => embedIds(graph, onnx, config, batch);
  try {
    // The first numbers of a device must be numbers.
    await run([tokenizer.encode("a").slice(0, 8)]);
  } catch (error) {
    await graph.dispose();
    throw error;
  }
  onProgress?.(1);

  const contextLength = Math.min(inputLength, sentence.contextLength);
  const cut = createCutter(tokenizer, contextLength);
  let alive = true;

  async function* embed(
    texts: readonly string[],
    { truncate, signal: stop }: ModelEmbedOptions,
  ): AsyncGenerator<EmbeddedText, void, undefined> {
    if (!alive) throw closedError();
    const inputs = texts.map((text, index): CutText => cut(text, index, truncate));
    for (const batch of batchesByLength(inputs.map(({ ids }) => ids.length))) {
      await pause();
      if (!alive) throw closedError();
      throwIfAborted(stop);
      const vectors = await run(batch.map((index) => inputs[index]?.ids ?? []));
      for (const [row, index] of batch.entries()) {
        const [vector, input] = [vectors[row], inputs[index]];
        if (vector === undefined || input === undefined) throw new SpellError("internal-error", `no vector for text ${index}`);
        yield { index, vector, tokens: input.ids.length, wholeTokens: input.wholeTokens };
      }
    }
  }

  return {
    get alive() {
      return alive;
    },
    device: report({ threads: graph.threads }),
    contextLength,
    dimensions: config.hiddenSize,
    unsupported: [],
    notes: [
      ...sentence.notes,
      ...(variant === "f32" || hasFastBlocks ? [] : [`${variant} is computed in 8-bit integers on ${onnx.device}`]),
      ...notes,
    ],
    embed,
    // biome-ignore lint/correctness/useYield: it refuses
    async *generate() {
      throw new SpellError("run-option", `${config.modelType} models make vectors, not text`);
    },
    async dispose() {
      if (!alive) return;
      alive = false;
      await graph.dispose();
    },
  };
}

/** One pass over texts of like length. @throws SpellError run-nan, and what the runtime throws */
async function embedIds(
  graph: OnnxGraph,
  runtime: OnnxRuntime,
  { firstPosition, padTokenId, hiddenSize }: BertConfig,
  inputs: readonly (readonly number[])[],
): Promise<readonly Float32Array[]> {
  const length = Math.max(...inputs.map((ids) => ids.length));
  const shape = [inputs.length, length];
  const [ids, mask, positions] = [0, 0, 0].map(() => new BigInt64Array(inputs.length * length)) as [
    BigInt64Array,
    BigInt64Array,
    BigInt64Array,
  ];
  for (const [row, input] of inputs.entries()) {
    let next = firstPosition;
    for (const [column, id] of input.entries()) {
      const at = row * length + column;
      ids[at] = BigInt(id);
      mask[at] = 1n;
      positions[at] = BigInt(id === padTokenId ? id : next++);
    }
  }
  const outputs = await graph.run({
    [names.ids]: runtime.tensor("int64", ids, shape),
    [names.mask]: runtime.tensor("int64", mask, shape),
    [names.positions]: runtime.tensor("int64", positions, shape),
  });
  const output = outputs[names.embedding];
  const values = (await output?.read()) as Float32Array;
  output?.release();
  if (!values.every(Number.isFinite)) throw new SpellError("run-nan", `the vectors of ${inputs.length} texts are no numbers`);
  return inputs.map((_, row) => values.slice(row * hiddenSize, (row + 1) * hiddenSize));
}
