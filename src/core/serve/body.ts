/** The body of a request: media type, size and JSON are checked before a field is read. */
import { SpellError } from "../errors.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import { Fields } from "./fields.ts";

/** Most bytes of a body: a full context of text, escaped, with its tools and schemas. An adapter holds to it on the wire. */
export const bodyBytes = 4_194_304;
/** Objects and lists of one body; schemas and conversations have thousands at most. */
const bodyContainers = 100_000;

/** @throws SpellError http-type, http-size, http-body */
export async function readBody(request: Request): Promise<Fields> {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw new SpellError("http-type", `expected no content-encoding, got ${encoding.slice(0, 40)}`);
  const type = request.headers.get("content-type") ?? "no content-type";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) throw new SpellError("http-type", `expected application/json, got ${type.slice(0, 80)}`);
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1] ?? "utf-8";
  if (!/^utf-?8$/i.test(charset)) throw new SpellError("http-type", `expected UTF-8, got charset=${charset.slice(0, 40)}`);
  const bytes = await readBytes(request);
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) throw wrongBody("expected UTF-8 without a mark of its order, got one");
  const given = readJson(
    bytes,
    { bytes: bodyBytes, depth: limits.jsonDepth, containers: bodyContainers },
    ({ message }) => wrongBody(message),
    true,
  );
  if (!isObject(given)) throw wrongBody(`expected an object, got ${Array.isArray(given) ? "a list" : String(given).slice(0, 20)}`);
  refuseProto(given);
  return new Fields(given);
}

async function readBytes({ body }: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > bodyBytes) throw new SpellError("http-size", `expected at most ${bodyBytes} bytes, got more`);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** A name that objects of JavaScript do not treat as one; nobody means it. */
function refuseProto(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) throw wrongBody("expected other names than __proto__, got it");
  for (const inner of Object.values(value)) refuseProto(inner);
}

function wrongBody(message: string): SpellError {
  return new SpellError("http-body", `the body: ${message}`);
}
