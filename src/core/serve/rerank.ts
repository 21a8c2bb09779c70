/** `/v1/rerank`, as Jina, Cohere and llama.cpp have it: documents by how well they fit a question, the best first. */
import { randomId } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { type Fields, gotOf } from "./fields.ts";
import { json } from "./refusals.ts";
import { failsAs } from "./served.ts";

const mostDocuments = 1000;

export async function rerank(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const name = fields.needed("model");
  const query = fields.needed("query");
  const documents = readDocuments(fields);
  const most = fields.integer("top_n", 1, Number.MAX_SAFE_INTEGER) ?? documents.length;
  const returnsTexts = fields.boolean("return_documents") ?? false;
  const notes = [...fields.idle(["user"]), ...fields.unread(call.isStrict)];

  const model = await call.served.ranks(name, call.signal);
  call.record.model = model.id;
  const result = await model
    .rerank(query, documents, { signal: call.signal })
    .catch(failsAs(model.id, name))
    .finally(() => model.dispose());
  const { scores, tokens, warnings } = result;
  call.record.usage = { promptTokens: tokens, completionTokens: 0, totalTokens: tokens };
  const all = [...notes, ...call.served.withNotes(model.id, warnings)];
  const results = scores
    .map((relevance_score, index) => ({ index, relevance_score, ...(returnsTexts && { document: { text: documents[index] } }) }))
    .sort((a, b) => b.relevance_score - a.relevance_score)
    .slice(0, most);
  return json({
    id: randomId("rerank-"),
    object: "list",
    model: name,
    results,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    ...(all.length > 0 && { warnings: all }),
  });
}

/** Texts, or objects with a `text`. */
function readDocuments(fields: Fields): readonly string[] {
  const list = fields.list("documents");
  if (list === undefined || list.length === 0 || list.length > mostDocuments)
    throw fields.wrong("documents", `1–${mostDocuments} texts`, list === undefined ? undefined : String(list.length));
  return list.map((each, i) => {
    const text = typeof each === "object" && each !== null ? (each as { readonly text?: unknown }).text : each;
    if (typeof text !== "string" || text === "") throw fields.wrong(`documents[${i}]`, "text, or an object with a text", gotOf(each));
    return text;
  });
}
