/** The files of a model, and which layout they are: GGUF, a checkpoint of T5 or BERT, or a T5 export. Of headers only config.json is read. */
import { SpellError } from "../../errors.ts";
import { baseName, partFiles } from "../../file-names.ts";
import { type ByteSource, blobSource } from "../../formats/byte-source.ts";
import { collectShards, parseShardName } from "../../gguf/shards.ts";
import { isModelGguf } from "../../hub/gguf-names.ts";
import type { FoundFiles, Platform } from "../../platform.ts";
import type { Seq2SeqVariant } from "../../spec/runtime.ts";
import { wrongOption } from "../../text/check-call.ts";
import type { FileSource } from "../backend.ts";
import { asT5Variant, bundledModels, checkBundledVariant } from "./bundled.ts";

export interface ModelFiles {
  readonly id: string;
  readonly bundled: boolean;
  /** `t5-onnx`: T5, exported to ONNX for transformers.js */
  readonly kind: "gguf" | "t5" | "encoder" | "t5-onnx";
  readonly files: readonly ByteSource[];
  /** of checkpoints: asked for by name */
  readonly variant?: Seq2SeqVariant | undefined;
}

type Layout = Pick<ModelFiles, "kind" | "files">;

/** Files that belong together. @throws SpellError model-layout, model-ambiguous */
export async function filesOfModel(id: string, files: readonly ByteSource[], variant?: Seq2SeqVariant): Promise<ModelFiles> {
  const [only] = files;
  // A person may call a file anything; one alone is known by its first bytes too.
  if (files.length === 1 && only !== undefined && !isModelGguf(only.name) && (await isGguf(only)))
    return { id, bundled: false, kind: "gguf", files };
  return { id, bundled: false, variant, ...(await layoutOf(files, id)) };
}

/** @throws SpellError model-unknown, model-variant-unknown */
export async function filesOfBundled(platform: Platform, name: string, asked: string | undefined): Promise<ModelFiles | undefined> {
  const id = name.toLowerCase();
  const model = bundledModels.get(id);
  if (model === undefined) return undefined;
  const variant = checkBundledVariant(id, model, asked);
  const files = await Promise.all(model.files.map((file) => platform.bundled(id, file.name)));
  return { id, bundled: true, kind: model.kind, files, variant: asT5Variant(variant) };
}

/** @throws SpellError model-unknown, model-layout, model-ambiguous */
export async function filesOfPath(platform: Platform, path: string): Promise<ModelFiles> {
  if (!platform.files.available)
    throw new SpellError("model-unknown", `${path} is a path, and ${platform.files.reason}`, {
      where: path,
      hint: "Pass a File or Blob, or give an address.",
    });
  return { id: path, bundled: false, ...(await layoutOfPath(await platform.files.value.look(path))) };
}

/** @throws SpellError run-option for what is no file; model-layout, model-ambiguous */
export async function filesOfBlobs(source: FileSource): Promise<ModelFiles> {
  const list = source instanceof Blob ? [source] : source;
  const wrong = Array.isArray(list) ? list.find((file) => !(file instanceof Blob)) : list;
  if (wrong !== undefined || !Array.isArray(list) || list.length === 0) {
    const expected = "the name of a model, a path, an address, a File or Blob, or the files of a folder";
    throw wrongOption("source", expected, wrong ?? list);
  }
  const files = list.map((file: Blob) => blobSource(nameOf(file) || "model.gguf", file));
  const id = files.find(({ name }) => /\.(gguf|safetensors)$/i.test(name))?.name ?? files[0]?.name ?? "";
  const [only] = files;
  // The type of a single file is decided by its content, not by its name: the gate says what it is.
  if (files.length === 1 && only !== undefined)
    return { id, bundled: false, kind: "gguf", files: await collectShards(only, async () => undefined) };
  return filesOfModel(id, files);
}

async function isGguf(file: ByteSource): Promise<boolean> {
  if (parseShardName(file.name) !== undefined || file.size < 4) return false;
  return new TextDecoder().decode(await file.read(0, 4)) === "GGUF";
}

/** Where a model is, by its first file: one of several files by their folder, which is a name for it too. */
export function placeOf(isOneFile: boolean, path: string): string {
  return isOneFile ? path : path.replace(/([/\\]onnx)?[/\\][^/\\]*$/, "");
}

/** A file of a folder that was chosen as a whole says where in it it lies. */
function nameOf(file: Blob): string {
  const { name, webkitRelativePath: place } = file as Partial<File>;
  const path = typeof place === "string" && place !== "" ? place : name;
  return typeof path === "string" ? baseName(path) : "";
}

/** One of the accepted layouts among files that lie together. T5 wins where both are complete; a named file wins over both. */
async function layoutOfPath(found: FoundFiles): Promise<Layout> {
  const [first] = found.sources;
  if (found.kind === "folder") return layoutOf(found.sources, found.path);
  if (first === undefined) throw new SpellError("internal-error", `no source for ${found.path}`);
  if (/\.onnx$/i.test(first.name)) {
    const message = `${first.name} is one graph of several; expected the folder of the export, with its config.json`;
    throw new SpellError("model-layout", message, { where: found.path });
  }
  if (!/\.safetensors$/i.test(first.name)) return { kind: "gguf", files: await collectShards(first, (name) => found.sibling(name)) };
  // A weight file alone says too little: its folder is the model.
  const beside = await Promise.all(filesOfCheckpoints.map((name) => found.sibling(name)));
  return checkpointOf([first, ...beside.flatMap((file) => file ?? [])]);
}

const filesOfCheckpoints = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "spiece.model",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  ...partFiles,
] as const;

/** Those of a model's files that are read: what else lies in its folder may change, or go. */
export function filesRead<T extends Pick<ByteSource, "name">>(kind: ModelFiles["kind"], files: readonly T[]): readonly T[] {
  if (kind === "gguf") return files;
  const instead = files.some(({ name }) => name === "tokenizer.json") ? "spiece.model" : undefined;
  const isRead = (name: string): boolean =>
    /\.(safetensors|safetensors\.index\.json|onnx|onnx_data)$/.test(name) || filesOfCheckpoints.some((other) => other === name);
  return files.filter(({ name }) => isRead(name) && name !== instead);
}

/** config.json tells BERT from T5, and modules.json an encoder of T5 from a model that writes. */
async function checkpointOf(files: readonly ByteSource[]): Promise<Layout> {
  const { looksLikeBert } = await import("../../bert/files.ts");
  const isEncoder = files.some(({ name }) => name === "modules.json") || (await looksLikeBert(files));
  return { kind: isEncoder ? "encoder" : "t5", files };
}

async function layoutOf(files: readonly ByteSource[], where: string): Promise<Layout> {
  const [{ looksLikeT5 }, { looksLikeExport }] = await Promise.all([import("../../t5/files.ts"), import("../../t5/export-files.ts")]);
  if (looksLikeT5(files)) return checkpointOf(files);
  if (looksLikeExport(files)) return { kind: "t5-onnx", files };
  const models = files.filter(({ name }) => isModelGguf(name));
  const [model, second] = models;
  if (model === undefined) {
    const expected = "one .gguf file, or config.json, *.safetensors and tokenizer.json of a T5 or BERT model, or an ONNX export of T5";
    const names = files.map(({ name }) => name).slice(0, 8);
    const got = names.length === 0 ? "an empty folder" : names.join(", ");
    throw new SpellError("model-layout", `${where}: no model found; expected ${expected}; got ${got}`, { where });
  }
  if (second !== undefined) {
    throw new SpellError("model-ambiguous", `${where} holds ${models.length} models: ${models.map(({ name }) => name).join(", ")}`, {
      where,
      actions: [{ kind: "run", model: model.path ?? model.name }],
    });
  }
  return { kind: "gguf", files: await collectShards(model, async (name) => files.find((other) => other.name === name)) };
}
