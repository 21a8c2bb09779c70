/**
 * T5 models exported to ONNX for transformers.js: which file of the folder is what, and whether an engine may see it.
 * The graphs are the exporter's; they are run by transformers.js (src/transformers), not by our own engine.
 */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { refuseSaved } from "../formats/guess-kind.ts";
import { readOnnxFile } from "../formats/onnx-file.ts";
import type { Seq2SeqVariant } from "../spec/runtime.ts";
import { readT5Configs, type T5Configs } from "./config.ts";
import type { T5Files } from "./files.ts";

/** Endings that exporters give to the forms of one graph; of several for one variant the first that is there is taken. */
const endings: Readonly<Record<Seq2SeqVariant, readonly (readonly [ending: string, dtype: string])[]>> = {
  f32: [
    ["", "fp32"],
    ["_fp16", "fp16"],
  ],
  q8: [
    ["_quantized", "q8"],
    ["_int8", "int8"],
    ["_uint8", "uint8"],
  ],
  q4: [
    ["_q4", "q4"],
    ["_q4f16", "q4f16"],
  ],
};

export interface ExportForm {
  readonly variant: Seq2SeqVariant;
  /** as transformers.js calls it */
  readonly dtype: string;
  readonly encoder: ByteSource;
  readonly decoder: ByteSource;
}

export interface ExportFiles extends Pick<T5Files, "config" | "generation" | "tokenizer"> {
  /** at least one; the first is the default */
  readonly forms: readonly ExportForm[];
  /** every file by its name */
  readonly byName: ReadonlyMap<string, ByteSource>;
}

/** What the files of an export say. */
export interface ExportFacts extends T5Configs {
  readonly form: ExportForm;
  /** Files that hold weights of the form's graphs, beside the graphs, by the graph's name. */
  readonly externalFiles: ReadonlyMap<string, readonly string[]>;
  /** bytes of the form's graphs and weights */
  readonly sizeBytes: number;
}

/** Whether a folder looks like an export: a configuration beside the graphs of an encoder and a decoder. */
export function looksLikeExport(files: readonly Pick<ByteSource, "name">[]): boolean {
  const names = files.map(({ name }) => name);
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  return names.includes("config.json") && has(/^encoder_model.*\.onnx$/) && has(/^decoder_.*\.onnx$/);
}

/** @throws SpellError model-layout, tokenizer-missing */
export function findExportFiles(files: readonly ByteSource[]): ExportFiles {
  const byName = new Map(files.map((file) => [file.name, file]));
  const config = byName.get("config.json");
  const forms = (Object.keys(endings) as Seq2SeqVariant[]).flatMap((variant): ExportForm[] => {
    for (const [ending, dtype] of endings[variant]) {
      const encoder = byName.get(`encoder_model${ending}.onnx`);
      const decoder = byName.get(`decoder_model_merged${ending}.onnx`);
      if (encoder !== undefined && decoder !== undefined) return [{ variant, dtype, encoder, decoder }];
    }
    return [];
  });
  if (config === undefined || forms.length === 0) {
    const found = [...byName.keys()].filter((name) => name.endsWith(".onnx")).slice(0, 8);
    throw new SpellError(
      "model-layout",
      `no complete ONNX export found; expected config.json, encoder_model.onnx and decoder_model_merged.onnx (also under onnx/, also as _fp16, _quantized, _q4), got ${found.length === 0 ? "no graphs" : found.join(", ")}`,
      {
        hint: "Export it again with its cache: the task text2text-generation-with-past. Or take the folder with safetensors: it runs as it lies.",
      },
    );
  }
  const model = byName.get("tokenizer.json");
  if (model === undefined) throw new SpellError("tokenizer-missing", "no tokenizer found; expected tokenizer.json beside config.json");
  const generation = byName.get("generation_config.json");
  return { config, generation, tokenizer: { model, config: byName.get("tokenizer_config.json") }, forms, byName };
}

/**
 * Reads the configuration and looks into the graphs of one form; no engine is touched, no weight read.
 * @param variant the export's first form by default
 * @throws SpellError model-*, onnx-parse, onnx-external, run-aborted
 */
export async function acceptExport(files: ExportFiles, variant?: Seq2SeqVariant, signal?: AbortSignal): Promise<ExportFacts> {
  const form = variant === undefined ? files.forms[0] : files.forms.find((candidate) => candidate.variant === variant);
  if (form === undefined) {
    throw new SpellError(
      "model-variant-unknown",
      `the export has no form ${variant}; available: ${files.forms.map((candidate) => candidate.variant).join(", ")}`,
    );
  }
  const configs = await readT5Configs(files.config, files.generation, signal);
  const externalFiles = new Map<string, readonly string[]>();
  let sizeBytes = 0;
  for (const [graph, input, output] of [
    [form.encoder, "input_ids", "last_hidden_state"],
    [form.decoder, "encoder_hidden_states", "logits"],
  ] as const) {
    const { name } = graph;
    const fail = (code: "onnx-parse" | "onnx-external", what: string): SpellError =>
      new SpellError(code, `${name}: ${what}`, { where: name });
    const weights = files.byName.get(`${name}_data`);
    if (weights !== undefined) await refuseSaved(weights, "onnx-external", signal);
    const facts = await readOnnxFile(graph, (other) => files.byName.get(other), signal);
    if (!facts.inputs.includes(input) || !facts.outputs.includes(output)) {
      throw fail("onnx-parse", `expected a graph from ${input} to ${output}, got ${list(facts.inputs)} to ${list(facts.outputs)}`);
    }
    // The name under which transformers.js looks for them.
    const strange = facts.externalFiles.find((other) => other !== `${name}_data`);
    if (strange !== undefined) throw fail("onnx-external", `weights: expected them in ${name}_data, got ${JSON.stringify(strange)}`);
    externalFiles.set(name, facts.externalFiles);
    sizeBytes += graph.size + facts.externalFiles.reduce((sum, other) => sum + (files.byName.get(other)?.size ?? 0), 0);
  }
  return { ...configs, form, externalFiles, sizeBytes };
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.slice(0, 4).join(", ") + (names.length > 4 ? ", …" : "");
}
