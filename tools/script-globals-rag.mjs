/** RAG, for docs/script-globals.md. */
import { entry } from "./script-entry.mjs";

const off = "`rag-disabled`, `store-*`";
const usual = `\`rag-input\`, \`rag-tenant\`, \`rag-rate\`, \`rag-model\`, ${off}`;
const one = `RAG.ingest{id = "bread", text = "# Oven\\n\\nBake it at 230 degrees for forty minutes."}\n`;
const oneJs = `await RAG.ingest({ id: "bread", text: "# Oven\\n\\nBake it at 230 degrees for forty minutes." });\n`;
const where = "`collection`, `tenant_id`, `scope` and `scope_id` say whose documents";

/** @type {Record<string, import("./script-entry.mjs").Entry>} */
export const rag = {
  "RAG.ingest": entry(
    `Adds documents, or replaces those of the same \`id\`: \`text\` (or \`content\`), or a \`file\` that the script may read; \`title\` and \`metadata\` are searched and filtered by. What did not change is not embedded again; where one is refused none is kept. ${where}.`,
    "`{success, documents_processed, documents_unchanged, chunks, vectors_created, total_tokens, warnings}`",
    `print(RAG.ingest({id = "tent", text = "Poles first, then pegs.", metadata = {kind = "camp"}}).documents_processed)`,
    `print((await RAG.ingest({ id: "tent", text: "Poles first, then pegs.", metadata: { kind: "camp" } })).documents_processed);`,
    `\`rag-file\`, \`rag-package\`, \`rag-duplicate\`, \`rag-memory\`, \`script-denied\`, ${usual}`,
  ),
  "RAG.search": entry(
    `Passages, best first. \`filters\` (or \`metadata_filter\`) are values that a document's metadata has to have, of a list one; \`rerank_model\` names a cross-encoder. ${where}.`,
    "`{success, total, results}`, each result `{id, source, heading, content, text, score, start, end, metadata, copies?}`; `text` is `content`, and `copies` are the places where the same text stands too",
    `${one}print(RAG.search("how hot is the oven?", {top_k = 1}).results[1].content)`,
    `${oneJs}print((await RAG.search("how hot is the oven?", { top_k: 1 })).results[0].content);`,
    `\`rag-unknown\`, ${usual}`,
  ),
  "RAG.context": entry(
    "Passages as text for a prompt, each with the number that an answer cites, as long as `max_tokens` (default `rag.search.max_context_tokens`) allows.",
    "`[1] bread > Oven`, the passage, an empty line, `[2] …`; empty text where nothing was found",
    `${one}print(RAG.context("how hot is the oven?"))`,
    `${oneJs}print(await RAG.context("how hot is the oven?"));`,
    `\`rag-unknown\`, ${usual}`,
  ),
  "RAG.cleanup_scope": entry(
    "Removes the documents of a scope; with `scope_id` only of this one.",
    "how many there were",
    `RAG.ingest({text = "a note"}, {scope = "trip", scope_id = "1"})\nprint(RAG.cleanup_scope("trip", "1"))`,
    `await RAG.ingest({ text: "a note" }, { scope: "trip", scope_id: "1" });\nprint(await RAG.cleanupScope("trip", "1"));`,
    usual,
  ),
  "RAG.list_providers": entry(
    "What may make vectors.",
    "a list of `{name, model, is_default}`",
    `print(RAG.list_providers()[1].name)`,
    `print(RAG.listProviders()[0].name);`,
    off,
  ),
  "RAG.get_stats": entry(
    "What an index holds, and what would find more.",
    "`{collection, tenant, embedder, dimensions, documents, chunks, dead_chunks, segments, bytes, advice, place?, operations?}`",
    `${one}print(RAG.get_stats().chunks)`,
    `${oneJs}print((await RAG.getStats()).chunks);`,
    usual,
  ),
  "RAG.remove": entry(
    "Removes documents by their ids, one or a list.",
    "how many of them were there",
    `${one}print(RAG.remove("bread"))`,
    `${oneJs}print(await RAG.remove(["bread"]));`,
    usual,
  ),
  "RAG.documents": entry(
    "Ids of documents, sorted.",
    "a list of texts",
    `${one}print(RAG.documents()[1])`,
    `${oneJs}print((await RAG.documents())[0]);`,
    usual,
  ),
  "RAG.export": entry(
    "All passages, document by document.",
    "a list of `{id, source, heading, content, start, end, metadata}`",
    `${one}print(RAG.export()[1].content)`,
    `${oneJs}print((await RAG.export())[0].content);`,
    `\`rag-unknown\`, ${usual}`,
  ),
  "RAG.collections": entry(
    "Names of the collections that there are, of one tenant.",
    "a list of texts",
    `${one}print(RAG.collections()[1])`,
    `${oneJs}print((await RAG.collections())[0]);`,
    `\`rag-tenant\`, ${off}`,
  ),
  "RAG.stats": entry(
    "The same as `RAG.get_stats`.",
    "what `RAG.get_stats` gives",
    `${one}print(RAG.stats().documents)`,
    `${oneJs}print((await RAG.stats()).documents);`,
    usual,
  ),
  "RAG.save": entry(
    "Writes what was added or removed; the end of a script does so too.",
    "nothing",
    `${one}RAG.save()`,
    `${oneJs}await RAG.save();`,
    off,
  ),
  "RAG.create_session_collection": entry(
    "A scope whose documents are gone after `ttl` seconds (default `rag.tenants.session_ttl_seconds`); only calls that name it find them.",
    "`{scope, scope_id}`, to be given to other calls",
    `local mine = RAG.create_session_collection("s1", 60)\nRAG.ingest({text = "a secret note"}, mine)\nprint(RAG.search("secret", mine).total)`,
    `const mine = RAG.createSessionCollection("s1", 60);\nawait RAG.ingest({ text: "a secret note" }, mine);\nprint((await RAG.search("secret", mine)).total);`,
    `\`rag-input\`, ${off}`,
  ),
  "RAG.configure_session": entry(
    "Narrows the limits of calls in one session's scope: `top_k`, `threshold`, `max_context_tokens`, `max_documents`.",
    "nothing",
    `RAG.configure_session("s1", {top_k = 3})`,
    `RAG.configureSession("s1", { top_k: 3 });`,
    `\`rag-input\`, ${off}`,
  ),
  "RAG.configure": entry(
    "Narrows the same limits for all calls that follow; wider ones change nothing.",
    "nothing",
    `RAG.configure{top_k = 10}`,
    `RAG.configure({ top_k: 10 });`,
    `\`rag-input\`, ${off}`,
  ),
};
