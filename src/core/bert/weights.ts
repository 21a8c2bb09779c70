/** The tensors of an encoder of the BERT family: which must be there, and under which names. */
import type { SafetensorsTensors } from "../formats/safetensors.ts";
import { checkFloats, type FloatTensor, missingTensors } from "../onnx/weights.ts";
import type { BertConfig } from "./config.ts";
import { type BertTask, headNames } from "./task.ts";

/** What stands before names where the encoder is part of a larger model. */
const prefixes = ["", "bert.", "roberta.", "model."];

/**
 * Every tensor the graph reads, by its name without prefix.
 * @throws SpellError safetensors-missing (all missing names at once), safetensors-shape, safetensors-dtype
 */
export function findBertTensors(tensors: SafetensorsTensors, config: BertConfig, task: BertTask): ReadonlyMap<string, FloatTensor> {
  const anchor = "embeddings.word_embeddings.weight";
  const prefix = prefixes.find((start) => tensors.has(start + anchor)) ?? "";
  const found = new Map<string, FloatTensor>();
  const missing: string[] = [];
  for (const [name, shape] of expectedShapes(config, task)) {
    // norms of checkpoints of 2018 have the names TensorFlow gave them
    const older = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta");
    const tensor = tensors.get(prefix + name) ?? tensors.get(prefix + older) ?? tensors.get(name);
    if (tensor === undefined) missing.push(name);
    else found.set(name, checkFloats(name, tensor, shape));
  }
  if (missing.length > 0) throw missingTensors(missing, "BERT");
  return found;
}

function expectedShapes(
  { hiddenSize, intermediateSize, numLayers, vocabSize, positions, tokenTypes }: BertConfig,
  task: BertTask,
): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>([
    ["embeddings.word_embeddings.weight", [vocabSize, hiddenSize]],
    ["embeddings.position_embeddings.weight", [positions, hiddenSize]],
    ["embeddings.token_type_embeddings.weight", [tokenTypes, hiddenSize]],
  ]);
  const pair = (name: string, outputs: number, inputs?: number): void => {
    shapes.set(`${name}.weight`, inputs === undefined ? [outputs] : [outputs, inputs]);
    shapes.set(`${name}.bias`, [outputs]);
  };
  pair("embeddings.LayerNorm", hiddenSize);
  for (let index = 0; index < numLayers; index += 1) {
    const layer = `encoder.layer.${index}`;
    for (const kind of ["query", "key", "value"]) pair(`${layer}.attention.self.${kind}`, hiddenSize, hiddenSize);
    pair(`${layer}.attention.output.dense`, hiddenSize, hiddenSize);
    pair(`${layer}.attention.output.LayerNorm`, hiddenSize);
    pair(`${layer}.intermediate.dense`, intermediateSize, hiddenSize);
    pair(`${layer}.output.dense`, hiddenSize, intermediateSize);
    pair(`${layer}.output.LayerNorm`, hiddenSize);
  }
  if (task.use === "rerank") {
    const { dense, score } = headNames[task.head.kind];
    pair(dense, hiddenSize, hiddenSize);
    pair(score, 1, hiddenSize);
  }
  return shapes;
}
