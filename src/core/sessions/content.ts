/** The content of an artifact: its bytes, its hash, and how a record keeps it. */
import { fromBase64, toBase64 } from "../base64.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import { wrongOption } from "../text/check-call.ts";

/** How it was given, and so how it is given back. */
export type ContentForm = "text" | "json" | "bytes";

export interface Content {
  readonly form: ContentForm;
  readonly bytes: Uint8Array;
  /** `sha256:` and 64 hex digits */
  readonly hash: string;
}

/** What a record holds: `text` as it is, bytes in base64, compressed ones too. */
interface Kept {
  readonly form: ContentForm;
  readonly as: "text" | "base64" | "gzip";
  readonly data: string;
}

/**
 * @param content text, bytes, or a JSON value
 * @param name of the artifact
 * @throws SpellError session-full for more than 50 MB, run-option for what is none of these
 */
export async function readContent(content: unknown, name: string): Promise<Content> {
  const { form, bytes } = bytesOf(content, name);
  const { length } = bytes;
  const expected = `${name}: expected an artifact of at most ${limits.artifactBytes} bytes, got ${length}`;
  if (length > limits.artifactBytes) throw new SpellError("session-full", expected, { where: name });
  return { form, bytes, hash: await hashOf(bytes) };
}

function bytesOf(content: unknown, name: string): Pick<Content, "form" | "bytes"> {
  if (content instanceof Uint8Array) return { form: "bytes", bytes: content };
  if (typeof content === "string") return { form: "text", bytes: new TextEncoder().encode(content) };
  let json: string | undefined;
  try {
    json = JSON.stringify(content);
  } catch {
    // circular, too deep, or longer than a text can be
  }
  if (json === undefined) throw wrongOption(name, "text, bytes or a JSON value", typeof content);
  return { form: "json", bytes: new TextEncoder().encode(json) };
}

/** @param threshold bytes from which it is compressed, where that makes it smaller */
export async function packContent(
  { form, bytes }: Content,
  threshold: number,
): Promise<{ readonly text: string; readonly isCompressed: boolean }> {
  const plain: Kept =
    form === "bytes"
      ? { form, as: "base64", data: toBase64(bytes) }
      : { form, as: "text", data: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) };
  const text = JSON.stringify(plain);
  if (bytes.length >= threshold) {
    const small = JSON.stringify({ form, as: "gzip", data: toBase64(await pass(bytes, new CompressionStream("gzip"))) } satisfies Kept);
    if (small.length < text.length) return { text: small, isCompressed: true };
  }
  return { text, isCompressed: false };
}

/** @param size as its artifact says @throws SpellError store-corrupt where the content is not the one that was stored */
export async function unpackContent(
  kept: unknown,
  { size, contentHash }: { readonly size: number; readonly contentHash: string },
  name: string,
): Promise<unknown> {
  const damaged = (got: string): SpellError =>
    new SpellError("store-corrupt", `${name}: expected ${size} bytes with ${contentHash}, got ${got}`, {
      where: name,
      hint: "Store it again, or delete it.",
    });
  if (!isKept(kept)) throw damaged("something else");
  let bytes: Uint8Array;
  try {
    const data = kept.as === "text" ? new TextEncoder().encode(kept.data) : fromBase64(kept.data);
    bytes = kept.as === "gzip" ? await pass(data, new DecompressionStream("gzip"), size) : data;
  } catch {
    throw damaged("what cannot be read");
  }
  if (bytes.length !== size || (await hashOf(bytes)) !== contentHash) throw damaged("others");
  if (kept.form === "bytes") return bytes;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return kept.form === "json" ? (JSON.parse(text) as unknown) : text;
}

function isKept(value: unknown): value is Kept {
  if (!isObject(value)) return false;
  const { form, as, data } = value;
  return ["text", "json", "bytes"].includes(String(form)) && ["text", "base64", "gzip"].includes(String(as)) && typeof data === "string";
}

async function hashOf(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @param most bytes that may come out @throws RangeError for more */
async function pass(
  bytes: Uint8Array,
  through: CompressionStream | DecompressionStream,
  most = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  for await (const piece of source.pipeThrough<Uint8Array>(through)) {
    length += piece.length;
    if (length > most) throw new RangeError("too much");
    pieces.push(piece);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
