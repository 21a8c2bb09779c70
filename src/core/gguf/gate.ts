/**
 * May a runtime load these files? Structure first (header.ts), then all that engines use unchecked: family, sizes, tokenizer, parts.
 * Reads no tensor data and knows no engine. What passes still runs where a crash is contained.
 */
import { SpellError } from "../errors.ts";
import { type ByteSource, totalSize } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { Pooling } from "../spec/runtime.ts";
import type { ParameterDefaults } from "../text/parameters.ts";
import { acceptArchitecture, encoderArchitectures } from "./architectures.ts";
import { ggufError } from "./defect.ts";
import { checkTokenEmbedding, countParameters, type ModelShape, nameQuantization, readSamplingDefaults, readShape } from "./facts.ts";
import { type GgufHeader, readGgufHeader } from "./header.ts";
import { Metadata } from "./metadata.ts";
import { checkParts } from "./shards.ts";
import { readTokenizer, type TokenizerFacts } from "./tokenizer.ts";

export type { SpecialToken } from "./tokenizer.ts";

/** What an accepted model says about itself. */
export interface GgufFacts extends ModelShape, TokenizerFacts {
  readonly architecture: string;
  readonly name?: string | undefined;
  /** "Q8_0", "Q4_K_M" … */
  readonly quantization: string;
  readonly parameterCount: number;
  /** all parts together */
  readonly fileBytes: number;
  readonly largestTensorBytes: number;
  readonly license?: string | undefined;
  readonly chatTemplate?: string | undefined;
  /** It writes no text: an embedding model. */
  readonly isEncoder: boolean;
  /** How the file says its vectors become one; `rank`: a score instead of a vector. */
  readonly pooling?: Pooling | "rank" | undefined;
  /** What the file recommends, where it is within our ranges. */
  readonly samplingDefaults: ParameterDefaults;
}

export interface AcceptGgufOptions {
  readonly signal?: AbortSignal | undefined;
}

/** @throws SpellError gguf-count */
function checkEntries(file: ByteSource | undefined, count: number): void {
  const most = limits.ggufModelEntries;
  if (file === undefined || count <= most) return;
  throw ggufError("gguf-count", file, `expected at most ${formatCount(most)} metadata entries in a model, got ${formatCount(count)}`);
}

/**
 * Checks all files of one model and gathers its facts. Reads headers only.
 * @param files all parts, in order; see collectShards
 * @throws SpellError every gguf-* code, model-empty, model-architecture, model-t5-gguf; net-* and run-aborted from the sources
 */
export async function acceptGguf(files: readonly ByteSource[], options: AcceptGgufOptions = {}): Promise<GgufFacts> {
  const headers: GgufHeader[] = [];
  // One after the other: the first defect in file order is reported.
  for (const file of files) headers.push(await readGgufHeader(file, options));
  checkParts(files, headers);
  for (const [index, { metadata }] of headers.entries()) checkEntries(files[index], metadata.size);
  const [file] = files;
  const [header] = headers;
  if (file === undefined || header === undefined) throw new SpellError("internal-error", "acceptGguf: expected at least one file");

  const metadata = new Metadata(file, header);
  const tensors = headers.flatMap((part) => part.tensors);
  const architecture = acceptArchitecture(metadata);
  const shape = readShape(metadata, architecture);
  const tokenizer = readTokenizer(metadata);
  checkTokenEmbedding(metadata, tensors, tokenizer.vocabSize);
  const sampling = readSamplingDefaults(metadata);
  return {
    architecture,
    name: metadata.text("general.name") || undefined,
    quantization: nameQuantization(metadata, tensors),
    parameterCount: countParameters(tensors),
    ...shape,
    ...tokenizer,
    fileBytes: totalSize(files),
    largestTensorBytes: tensors.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    license: metadata.described("general.license") || undefined,
    chatTemplate: metadata.text("tokenizer.chat_template") || undefined,
    isEncoder: encoderArchitectures.has(architecture),
    pooling: readPooling(metadata, architecture),
    samplingDefaults: sampling.values,
    notes: [...headers.flatMap((part) => part.notes), ...noteOtherTypes(metadata), ...tokenizer.notes, ...sampling.notes],
  };
}

const poolings = [undefined, "mean", "cls", "last", "rank"] as const;

/** 0 is written for none; later numbers are unknown to the engines too. */
function readPooling(metadata: Metadata, architecture: string): GgufFacts["pooling"] {
  return poolings[metadata.uint32(`${architecture}.pooling_type`, { min: 0, max: poolings.length - 1 }) ?? 0];
}

/** Descriptions that are no text: engines do not read them. */
function noteOtherTypes(metadata: Metadata): readonly string[] {
  const { header, source } = metadata;
  const isOther = (key: string): boolean => header.metadata.has(key) && metadata.described(key) === undefined;
  return ["general.type", "general.license"].filter(isOther).map((key) => `${source.name}: ${key} is no text; it is left out`);
}
