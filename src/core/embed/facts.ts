/** What the files of an encoder say, whatever its family. */
import type { FloatTensor } from "../onnx/weights.ts";
import type { SentenceFacts } from "./sentence.ts";

/** What the model is for. */
export type EncoderTask =
  | ({ readonly use: "embed" } & SentenceFacts)
  | { readonly use: "rerank"; readonly contextLength: number; readonly notes: readonly string[] };

export interface EncoderShape {
  /** `model_type` */
  readonly modelType: string;
  /** numbers of a token's state */
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly vocabSize: number;
}

export interface EncoderFacts {
  readonly config: EncoderShape;
  readonly task: EncoderTask;
  /** numbers of a vector */
  readonly dimensions: number;
  readonly parameterCount: number;
  /** dtype of most of the weights, as the file names it */
  readonly dtype: string;
}

/** @param found tensors that are computed with */
export function encoderFacts(
  { hiddenSize }: Pick<EncoderShape, "hiddenSize">,
  task: EncoderTask,
  found: ReadonlyMap<string, FloatTensor>,
): Pick<EncoderFacts, "dimensions" | "parameterCount" | "dtype"> {
  const elements = new Map<string, number>();
  for (const { dtype, shape } of found.values()) {
    elements.set(dtype, (elements.get(dtype) ?? 0) + shape.reduce((product, length) => product * length, 1));
  }
  const [most] = [...elements].sort((a, b) => b[1] - a[1]);
  return {
    dimensions: (task.use === "embed" ? task.dense?.outputs : undefined) ?? hiddenSize,
    parameterCount: [...elements.values()].reduce((sum, count) => sum + count, 0),
    dtype: most?.[0] ?? "F32",
  };
}
