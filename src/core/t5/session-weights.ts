/**
 * Which form of a checkpoint's weights each graph of a session gets. Rows decide it: 4-bit blocks are fastest for the newest token of one to
 * three answers, 8-bit columns for whole inputs, batches and wide beams (docs/benchmarks.md).
 */
import type { ByteSource } from "../formats/byte-source.ts";
import { formOf, type WeightForms } from "../onnx/weights.ts";
import { type BlockStore, openBlockFile } from "./block-file.ts";
import type { SessionWeights } from "./decode.ts";
import type { T5Facts } from "./files.ts";
import { collectT5Weights, type T5WeightForms, type T5Weights } from "./weights.ts";

export interface SessionWeightOptions extends Pick<T5WeightForms, "variant" | "runtime"> {
  /** Where quantised weights are kept; without it they are made at each load. */
  readonly store?: BlockStore | undefined;
  /** One decoder only. */
  readonly lowMemory?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @param files the weight files @throws SpellError as findT5Tensors() */
export async function sessionWeights(
  facts: Pick<T5Facts, "tensors" | "config">,
  files: readonly ByteSource[],
  { variant, runtime, store, lowMemory, signal }: SessionWeightOptions,
): Promise<SessionWeights> {
  const collect = (rows: WeightForms["rows"], kept?: WeightForms["kept"]): T5Weights =>
    collectT5Weights(facts.tensors, facts.config, { variant, rows, runtime, kept });
  const keeps = variant !== "f32" && store !== undefined;
  const kept = keeps ? await openBlockFile(store, facts, files, { variant, part: "all", runtime }, signal) : undefined;
  const weights = { encoder: collect("many", kept), decoder: collect("few", kept) };
  const hasOther = formOf({ variant, rows: "many", runtime }) !== formOf({ variant, rows: "few", runtime });
  if (!hasOther || lowMemory === true) return weights;
  return {
    ...weights,
    async wide() {
      const more = keeps ? await openBlockFile(store, facts, files, { variant, part: "wide", runtime }) : undefined;
      return collect("many", kept === undefined || more === undefined ? kept : new Map([...kept, ...more]));
    },
  };
}
