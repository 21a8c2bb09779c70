/** `hash-calculator`: hashes of a text, and keyed ones. */
import { toBase64 } from "../base64.ts";
import { bytesOfBase64, toHex } from "./bytes.ts";
import { toolFailed } from "./failure.ts";
import { flag, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

const webNames = { sha1: "SHA-1", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" } as const;
const wasmNames = { md5: "md5", crc32: "crc32", blake3: "blake3", sha3: "sha3" } as const;

interface Input {
  readonly input: string;
  readonly algorithm?: keyof typeof webNames | keyof typeof wasmNames;
  readonly encoding?: "hex" | "base64";
  readonly is_base64?: boolean;
  readonly key?: string;
  readonly expected?: string;
}

export const hashCalculator: ToolDefinition = {
  name: "hash-calculator",
  description: "Hashes a text or bytes, or compares with an expected hash. With a key: HMAC, of the SHA-1 and SHA-2 algorithms.",
  category: "utility",
  version: "1.0.0",
  tags: ["checksum", "digest", "hmac"],
  parameters: object(
    {
      input: text("what is hashed, as UTF-8"),
      algorithm: oneOf("[sha256]", [...Object.keys(webNames), ...Object.keys(wasmNames)]),
      encoding: oneOf("of the result [hex]", ["hex", "base64"]),
      is_base64: flag("the input is base64 of bytes [false]"),
      key: text("makes it an HMAC"),
      expected: text("a hash to compare with"),
    },
    ["input"],
  ),
  output: object(
    { result: text("the hash"), algorithm: text("which one"), matches: flag("whether it is the expected one; only where one is given") },
    ["result", "algorithm"],
  ),
  async run({ input, algorithm = "sha256", encoding = "hex", is_base64 = false, key, expected }: Input) {
    const bytes = is_base64 ? bytesOfBase64("hash-calculator", input) : new TextEncoder().encode(input);
    const digest = key === undefined ? await hash(algorithm, bytes) : await keyed(algorithm, bytes, new TextEncoder().encode(key));
    const result = encoding === "hex" ? toHex(digest) : toBase64(digest);
    const known = expected?.trim();
    const matches = known === undefined ? {} : { matches: encoding === "hex" ? known.toLowerCase() === result : known === result };
    return { result, algorithm, ...matches };
  },
};

type Algorithm = NonNullable<Input["algorithm"]>;

function isWeb(algorithm: Algorithm): algorithm is keyof typeof webNames {
  return Object.hasOwn(webNames, algorithm);
}

async function hash(algorithm: Algorithm, bytes: Uint8Array): Promise<Uint8Array> {
  if (isWeb(algorithm)) return new Uint8Array(await crypto.subtle.digest(webNames[algorithm], Uint8Array.from(bytes)));
  const hashes = await import("hash-wasm");
  const hex = algorithm === "sha3" ? await hashes.sha3(bytes, 256) : await hashes[algorithm](bytes);
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** @throws SpellError tool-failed */
async function keyed(algorithm: Algorithm, bytes: Uint8Array, secret: Uint8Array): Promise<Uint8Array> {
  if (!isWeb(algorithm)) {
    const known = Object.keys(webNames).join(", ");
    throw toolFailed("hash-calculator", `expected one of ${known} with a key, got ${algorithm}`);
  }
  // an HMAC pads its key with zeros anyway, and WebCrypto takes no empty one
  const raw = secret.length === 0 ? new Uint8Array(1) : Uint8Array.from(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: webNames[algorithm] }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, Uint8Array.from(bytes)));
}
