/** What a file that is not a model looks like by its first bytes, for the message. */
import { type ErrorCode, SpellError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

export interface GuessedKind {
  /** "an HTML page" */
  readonly what: string;
  readonly hint: string;
}

const unpack = "Unpack it; the model is a file that ends in .gguf.";
const otherForm = "Use a GGUF form of the model.";

/** First bytes in hexadecimal. */
const binaryKinds: readonly { readonly pattern: RegExp; readonly what: string; readonly hint: string }[] = [
  { pattern: /^504b(0304|0506)/, what: "a zip archive", hint: unpack },
  { pattern: /^1f8b/, what: "a gzip file", hint: unpack },
  { pattern: /^377abcaf/, what: "a 7z archive", hint: unpack },
  { pattern: /^800[2-5]/, what: "a Python pickle", hint: "Pickles run code and are never opened; use a GGUF form of the model." },
  // the length of the header in 8 bytes, then JSON that begins with {"
  { pattern: /^.{6}0{10}7b22/, what: "a safetensors file", hint: otherForm },
  { pattern: /^(00){4}/, what: "zeros", hint: "The file was created but never filled; fetch it again." },
];

type Kind = GuessedKind & { readonly pattern: RegExp };
const pointer: Kind = {
  pattern: /^version https:\/\/git-lfs/,
  what: "a Git LFS pointer",
  hint: "Run git lfs pull in the repository it came from.",
};
const page: Kind = {
  pattern: /^(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)/i,
  what: "an HTML page",
  hint: "Log in or check the address: a page was saved instead of the model.",
};

/** First bytes as text. */
const textKinds: readonly { readonly pattern: RegExp; readonly what: string; readonly hint: string }[] = [
  { pattern: /^FUGG/, what: "GGUF with its bytes reversed", hint: "Convert the model again, on or for a little-endian machine." },
  { pattern: /^(lmgg|fmgg|tjgg|algg)/, what: "a GGML file of 2023", hint: `That format is no longer read. ${otherForm}` },
  pointer,
  page,
  {
    pattern: /^\s*[{[]/,
    what: "JSON text",
    hint: "It is no model. Where it was downloaded, a server's answer was saved instead of the file; fetch the file itself.",
  },
];

/** @param start the first bytes of the file; 64 are enough */
export function guessKind(start: Uint8Array): GuessedKind | undefined {
  const hex = Array.from(start.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const text = String.fromCharCode(...start.subarray(0, 64));
  return binaryKinds.find(({ pattern }) => pattern.test(hex)) ?? textKinds.find(({ pattern }) => pattern.test(text));
}

/**
 * A clone without Git LFS and a saved web page are called what they are, whichever file of a model they stand for.
 * @param code of the format that was expected
 * @throws SpellError with that code; net-* and run-aborted from the source
 */
export async function refuseSaved(source: ByteSource, code: ErrorCode, signal?: AbortSignal): Promise<void> {
  const kind = await savedInstead(source, signal);
  if (kind === undefined) return;
  throw new SpellError(code, `${source.name}: expected the file itself, got ${kind.what}`, { where: source.name, hint: kind.hint });
}

/** What was saved in place of a file of a model. */
export async function savedInstead(source: ByteSource, signal?: AbortSignal): Promise<GuessedKind | undefined> {
  const start = await source.read(0, Math.min(64, source.size), signal);
  const text = String.fromCharCode(...start);
  return [pointer, page].find(({ pattern }) => pattern.test(text));
}
