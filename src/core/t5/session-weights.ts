/**
 * Which form of a checkpoint's weights each graph of a session gets. Rows decide it: 4-bit blocks are fastest for the newest token of one to
 * three answers, 8-bit columns for whole inputs, batches and wide beams (docs/benchmarks-history.md).
 */
import type { ByteSource } from "../formats/byte-source.ts";
import { formName, type WeightForms } from "../onnx/weights.ts";
import type { RowForms, Seq2SeqVariant, WeightForm } from "../spec/runtime.ts";
import { type BlockStore, checkNorms, openBlockFile } from "./block-file.ts";
import { leastWide, type SessionWeights } from "./decode.ts";
import type { T5Facts } from "./files.ts";
import { collectT5Weights, findT5Tensors, type T5WeightForms, type T5Weights } from "./weights.ts";

export interface SessionWeightOptions extends Pick<T5WeightForms, "variant" | "runtime"> {
  /** Where quantised weights are kept; without it they are made at each load. */
  readonly store?: BlockStore | undefined;
  /** One decoder only. */
  readonly lowMemory?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The table by which sessionWeights() gives each graph its form. */
export function rowForms({
  variant,
  runtime,
  lowMemory,
}: {
  readonly variant: Seq2SeqVariant;
  readonly runtime: Pick<WeightForms["runtime"], "fastBlocks">;
  readonly lowMemory?: boolean | undefined;
}): RowForms {
  const form = (rows: WeightForms["rows"]): WeightForm => formName({ variant, rows, runtime });
  const [input, answer] = [form("many"), form("few")];
  return { input, answer, many: input === answer || lowMemory === true ? undefined : { from: leastWide, form: input } };
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
  if (variant !== "f32" && kept === undefined) await checkNorms(findT5Tensors(facts.tensors, facts.config), signal);
  const weights = { encoder: collect("many", kept), decoder: collect("few", kept), laidOut: variant === "f32" };
  if (rowForms({ variant, runtime, lowMemory }).many === undefined) return weights;
  return {
    ...weights,
    async wide() {
      const more = keeps ? await openBlockFile(store, facts, files, { variant, part: "wide", runtime }) : undefined;
      return collect("many", kept === undefined || more === undefined ? kept : new Map([...kept, ...more]));
    },
  };
}
