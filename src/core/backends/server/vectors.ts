/** Vectors that a server makes. Its answers are untrusted: as many vectors as texts, all of one width, finite numbers; made of length 1 here. */
import { fromBase64 } from "../../base64.ts";
import { unit } from "../../embed/collect.ts";
import { SpellError } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { ModelEmbedOptions } from "../../spec/runtime.ts";
import { wrongOption } from "../../text/check-call.ts";
import type { OpenedVectors } from "../backend.ts";

/** Texts of one request: servers take at least some hundred, and an abort waits for none. */
const mostTexts = 32;

/** What one answer holds. */
export interface ServedVectors {
  /** one for each text, in their order: a list of numbers, or base64 of 32-bit floats */
  readonly vectors: readonly unknown[];
  /** tokens of all texts; 0 where the server does not tell */
  readonly tokens: number;
}

export interface VectorServer {
  /** One request. @throws SpellError of the server and the network */
  ask(texts: readonly string[], options: ModelEmbedOptions): Promise<ServedVectors>;
  /** An answer that is not as it should be. */
  readonly broken: (problem: string) => SpellError;
  /** It has no way to cut texts: whether one is too long is its own matter. */
  readonly cutsNone?: true | undefined;
}

export function serverVectors({ ask, broken, cutsNone }: VectorServer): OpenedVectors {
  let dimensions: number | undefined;

  const read = (value: unknown, index: number): Float32Array => {
    const vector = typeof value === "string" ? fromBytes(value) : numbers(value);
    if (vector === undefined) throw broken(`answered for text ${index + 1} with something other than a vector`);
    dimensions ??= vector.length;
    if (vector.length !== dimensions) throw broken(`answered with vectors of ${dimensions} and of ${vector.length} numbers`);
    try {
      return unit(vector);
    } catch (cause) {
      throw cause instanceof SpellError ? broken(`answered for text ${index + 1} with a vector without direction`) : cause;
    }
  };

  return {
    get dimensions() {
      return dimensions;
    },
    prefixes: { query: "", document: "" },
    async *embed(texts, options) {
      const { retries = 0 } = options;
      if (!Number.isInteger(retries) || retries < 0) throw wrongOption("retries", "an integer of 0 or more", retries);
      if (options.truncate && cutsNone)
        yield { type: "warning", code: "option-ignored", message: "truncate is not known to the service; not sent" };
      for (let from = 0; from < texts.length; from += mostTexts) {
        const asked = texts.slice(from, from + mostTexts);
        const { vectors, tokens } = await ask(asked, options);
        if (vectors.length !== asked.length) throw broken(`answered ${asked.length} texts with ${vectors.length} vectors`);
        for (const [row, value] of vectors.entries()) {
          // servers count the tokens of all texts of a request together
          yield { index: from + row, vector: read(value, from + row), tokens: row === 0 ? tokens : 0 };
        }
      }
    },
  };
}

/** @returns undefined for anything but a list of finite numbers */
function numbers(value: unknown): Float32Array | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > limits.ggufEmbeddingLength) return undefined;
  return value.every((each) => typeof each === "number" && Number.isFinite(each)) ? Float32Array.from(value as number[]) : undefined;
}

/** 32-bit floats, little-endian */
function fromBytes(text: string): Float32Array | undefined {
  try {
    const bytes = fromBase64(text);
    if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
    const view = new DataView(bytes.buffer);
    return numbers(Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(4 * index, true)));
  } catch {
    return undefined;
  }
}
