/** `/v1/embeddings`. Source: the API reference of OpenAI. Its official clients ask for base64 where their caller names no form. */
import { toBase64 } from "../base64.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import type { Fields } from "./fields.ts";
import { json } from "./refusals.ts";
import { failsAs } from "./served.ts";

/** as OpenAI has it */
const mostTexts = 2048;

export async function embeddings(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const name = fields.needed("model");
  const texts = readTexts(fields, "input", mostTexts);
  const form = fields.one("encoding_format", ["float", "base64"]) ?? "float";
  const dimensions = fields.integer("dimensions", 1, 65_536);
  // what others than OpenAI have for it; models put another text before questions
  const query = fields.one("input_type", ["query", "document", "passage"]) === "query";
  const notes = [...fields.idle(["user"]), ...fields.unread(call.isStrict)];

  const model = await call.served.vectors(name, call.signal);
  call.record.model = model.id;
  const result = await model
    .embed(texts, { query, dimensions, signal: call.signal })
    .catch(failsAs(model.id, name))
    .finally(() => model.dispose());
  const { vectors, tokens, warnings } = result;
  call.record.usage = { promptTokens: tokens, completionTokens: 0, totalTokens: tokens };
  const all = [...notes, ...call.served.withNotes(model.id, warnings)];
  return json({
    object: "list",
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: form === "float" ? [...vector] : base64Of(vector) })),
    model: name,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    ...(all.length > 0 && { warnings: all }),
  });
}

/** A text, or a list of texts, none of them empty. */
export function readTexts(fields: Fields, name: string, most: number): readonly string[] {
  const given = fields.raw(name);
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const isText = (each: unknown): each is string => typeof each === "string" && each !== "";
  if (list.length === 0 || list.length > most || !list.every(isText))
    throw fields.wrong(name, `text, or 1–${most} texts, none of them empty`);
  return list;
}

/** Its numbers as 32 bits each, the lowest byte first. */
export function base64Of(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of vector.entries()) view.setFloat32(i * 4, value, true);
  return toBase64(bytes);
}
