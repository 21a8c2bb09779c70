/**
 * The in-process backend: finds the files of a model, lets the gate look at them, and opens them on a runtime.
 * The only place that will choose between architectures of different kinds.
 */
import { SpellError } from "../errors.ts";
import { type ByteSource, blobSource } from "../formats/byte-source.ts";
import { acceptGguf, type GgufFacts } from "../gguf/gate.ts";
import { openGgufModel } from "../gguf/model.ts";
import { collectShards, parseShardName } from "../gguf/shards.ts";
import type { FoundFiles, Platform } from "../platform.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { parseModelSpec } from "../spec/model-spec.ts";
import type { DeviceChoice } from "../spec/runtime.ts";

export interface LoadOptions {
  /** default `auto` */
  readonly device?: DeviceChoice;
  /** tokens, 128 … the model's limit; default 4096 or the model's limit, whichever is smaller */
  readonly contextSize?: number;
  /** 0 = measured on this machine (default) */
  readonly threads?: number;
  /** prompt tokens per step, default 512; smaller aborts sooner */
  readonly batchSize?: number;
  /** Loaded share, 0 … 1 */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** A bundled name, a path to a file or folder, or the file itself. */
export type ModelSource = string | Blob;

export interface FoundModel {
  readonly id: string;
  readonly bundled: boolean;
  readonly files: readonly ByteSource[];
  readonly facts: GgufFacts;
}

/** Models inside the package: name to file. */
export const bundledModels: ReadonlyMap<string, string> = new Map([["tiny-stories", "tiny-stories.gguf"]]);

const defaultContextLength = 4096;

/**
 * Finds a model's files and reads their headers; no runtime is touched.
 * @throws SpellError spec-syntax, model-*, gguf-*, usage-not-available
 */
export async function findModel(source: ModelSource, platform: Platform, signal?: AbortSignal): Promise<FoundModel> {
  const { id, files } = await findFiles(source, platform);
  const facts = await acceptGguf(files, signal === undefined ? {} : { signal });
  return { id, bundled: typeof source === "string" && bundledModels.has(id), files, facts };
}

/**
 * Finds, checks and opens a model.
 * @throws SpellError of findModel and GgufRuntime.open; run-option for options out of range; device-unavailable where the host has no runtime
 */
export async function loadModel(source: ModelSource, platform: Platform, options: LoadOptions = {}): Promise<LanguageModel> {
  if (!platform.gguf.available) throw new SpellError("device-unavailable", `no runtime for GGUF models here: ${platform.gguf.reason}`);
  const runtime = platform.gguf.value;
  checkLoadOptions(options);
  runtime.prepare?.(options.device ?? "auto");
  const model = await findModel(source, platform, options.signal);
  const limit = model.facts.contextLength;
  if (options.contextSize !== undefined && options.contextSize > limit) {
    throw new SpellError("run-option", `contextSize: wanted 128 … ${limit} (the limit of ${model.id}); got ${options.contextSize}`, {
      where: "contextSize",
    });
  }
  return openGgufModel(model, runtime, platform, {
    device: options.device ?? "auto",
    contextLength: options.contextSize ?? Math.min(defaultContextLength, limit),
    batchSize: options.batchSize ?? 512,
    threads: options.threads ?? 0,
    ...(model.facts.bos === undefined ? {} : { bos: model.facts.bos.text }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

function checkLoadOptions(options: LoadOptions): void {
  const check = (name: "contextSize" | "threads" | "batchSize", min: number, max: number): void => {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
    throw new SpellError("run-option", `${name}: wanted an integer, ${min} … ${max}; got ${String(value)}`, { where: name });
  };
  check("contextSize", 128, 2 ** 31 - 1);
  check("threads", 0, 1024);
  check("batchSize", 1, 16_384);
}

async function findFiles(source: ModelSource, platform: Platform): Promise<{ readonly id: string; readonly files: readonly ByteSource[] }> {
  if (typeof source !== "string") {
    const name = "name" in source && typeof source.name === "string" && source.name !== "" ? source.name : "model.gguf";
    return { id: name, files: await collectShards(blobSource(name, source), async () => undefined) };
  }
  const spec = parseModelSpec(source);
  if (spec.kind === "path") {
    if (!platform.files.available) throw new SpellError("model-unknown", `${source} is a path, and ${platform.files.reason}`);
    const found = await platform.files.value.look(spec.path);
    return { id: spec.path, files: await filesOf(found) };
  }
  const file = bundledModels.get(spec.name.toLowerCase());
  if (file === undefined) throw unknownModel(spec.name);
  if (spec.variant !== undefined && spec.variant.toUpperCase() !== "Q8_0") {
    throw new SpellError("model-variant-unknown", `${spec.name} has no variant ${spec.variant}; available: Q8_0`, {
      commands: [`llmspell generate -m ${spec.name} "Once upon a time"`],
    });
  }
  const name = spec.name.toLowerCase();
  return { id: name, files: [await platform.bundled(name, file)] };
}

async function filesOf(found: FoundFiles): Promise<readonly ByteSource[]> {
  const [first] = found.sources;
  if (found.kind === "file") {
    if (first === undefined) throw new SpellError("internal-error", `no source for ${found.path}`);
    return collectShards(first, (name) => found.sibling(name));
  }
  const models = found.sources.filter(({ name }) => name.toLowerCase().endsWith(".gguf") && (parseShardName(name)?.index ?? 1) === 1);
  const [only, second] = models;
  if (only === undefined) {
    const names = found.sources.map(({ name }) => name);
    throw new SpellError(
      "model-layout",
      `${found.path}: no model found; wanted one .gguf file; got ${names.length === 0 ? "an empty folder" : names.slice(0, 8).join(", ")}`,
      { where: found.path },
    );
  }
  if (second !== undefined) {
    throw new SpellError("model-ambiguous", `${found.path} holds ${models.length} models: ${models.map(({ name }) => name).join(", ")}`, {
      where: found.path,
      commands: [`llmspell generate -m ${only.path ?? only.name} "Hello"`],
    });
  }
  return collectShards(only, async (name) => found.sources.find((other) => other.name === name));
}

function unknownModel(name: string): SpellError {
  return new SpellError("model-unknown", `Model '${name}' is not known. Bundled models: ${[...bundledModels.keys()].join(", ")}`, {
    hint: "Bundled models run right away, on CPU and GPU alike; for your own GGUF file give its path.",
    commands: ['llmspell generate -m tiny-stories "Once upon a time"', `llmspell generate -m ./${name} "Hello"`],
  });
}
