/** config.json and its neighbours of a model's folder: an object of JSON, within the limits. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { refuseSaved } from "../formats/guess-kind.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";

/** @throws SpellError model-config-json */
export async function readConfigJson(source: ByteSource, signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>>> {
  const bad = (what: string): SpellError => new SpellError("model-config-json", `${source.name}: ${what}`, { where: source.name });
  await refuseSaved(source, "model-config-json", signal);
  const size = { bytes: limits.configBytes, depth: limits.jsonDepth };
  if (source.size > size.bytes) throw bad(`expected at most ${size.bytes} bytes, got ${source.size}`);
  const json = readJson(withoutPythonNumbers(await source.read(0, source.size, signal)), size, ({ message }) => bad(message));
  if (!isObject(json)) throw bad("expected a JSON object");
  return json;
}

/** Python's writer knows NaN and Infinity, which are no JSON. As values of a configuration they say nothing. */
function withoutPythonNumbers(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  if (!/NaN|Infinity/.test(text)) return bytes;
  return new TextEncoder().encode(
    text.replace(/"(?:\\.|[^"\\])*"|-?\bInfinity\b|\bNaN\b/g, (found) => (found.startsWith('"') ? found : "null")),
  );
}
