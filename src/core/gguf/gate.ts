/**
 * May a runtime load these files? Structure first (header.ts), then all that engines use unchecked: family, sizes, tokenizer, parts.
 * Reads no tensor data and knows no engine. What passes still runs where a crash is contained.
 */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { ParameterDefaults } from "../text/parameters.ts";
import { acceptArchitecture } from "./architectures.ts";
import { checkTokenEmbedding, countParameters, largestTensor, nameQuantization, readSamplingDefaults, readShape } from "./facts.ts";
import { type GgufHeader, readGgufHeader } from "./header.ts";
import { metadataOf } from "./metadata.ts";
import { checkParts } from "./shards.ts";
import { readTokenizer, type SpecialToken } from "./tokenizer.ts";

export type { SpecialToken } from "./tokenizer.ts";

/** What an accepted model says about itself. */
export interface GgufFacts {
  readonly architecture: string;
  readonly name?: string | undefined;
  /** "Q8_0", "Q4_K_M" … */
  readonly quantization: string;
  readonly parameterCount: number;
  /** tokens */
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  /** of the layer that has most; 0 for models without attention */
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly vocabSize: number;
  /** all parts together */
  readonly fileBytes: number;
  readonly largestTensorBytes: number;
  readonly license?: string | undefined;
  readonly chatTemplate?: string | undefined;
  /** As the file says; for a SentencePiece vocabulary that does not say, the ids engines take. */
  readonly bos?: SpecialToken | undefined;
  readonly eos?: SpecialToken | undefined;
  /** Only when the file says. */
  readonly addBos?: boolean | undefined;
  /** Texts that a runtime reads as control tokens where they stand in a prompt. */
  readonly controlTokens: readonly string[];
  /** What the file recommends, where it is within our ranges. */
  readonly samplingDefaults: ParameterDefaults;
  /** bytes of keys and values of one token as f16; an upper bound where layers share or forget them */
  readonly kvBytesPerToken: number;
  /** Harmless oddities, in sentences: trailing bytes, unusable recommendations. */
  readonly notes: readonly string[];
}

export interface AcceptGgufOptions {
  readonly signal?: AbortSignal | undefined;
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
  const [file] = files;
  const [header] = headers;
  if (file === undefined || header === undefined) throw new SpellError("internal-error", "acceptGguf: expected at least one file");

  const metadata = metadataOf(file, header);
  const tensors = headers.flatMap((part) => part.tensors);
  const architecture = acceptArchitecture(metadata);
  const shape = readShape(metadata, architecture);
  const { notes: tokenizerNotes, ...tokenizer } = readTokenizer(metadata);
  checkTokenEmbedding(metadata, tensors, tokenizer.vocabSize);
  const sampling = readSamplingDefaults(metadata);
  return {
    architecture,
    name: metadata.text("general.name") || undefined,
    quantization: nameQuantization(metadata, tensors),
    parameterCount: countParameters(tensors),
    ...shape,
    ...tokenizer,
    fileBytes: files.reduce((sum, part) => sum + part.size, 0),
    largestTensorBytes: largestTensor(tensors),
    license: metadata.text("general.license") || undefined,
    chatTemplate: metadata.text("tokenizer.chat_template") || undefined,
    samplingDefaults: sampling.values,
    notes: [...headers.flatMap((part) => part.notes), ...tokenizerNotes, ...sampling.notes],
  };
}
