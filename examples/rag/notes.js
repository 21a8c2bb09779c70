// Notes that are found by words, and a prompt that is made of them.
//   LLMSPELL_RAG_ENABLED=true LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS=true llmspell run examples/rag/notes.js
// The index lasts as long as the run; with LLMSPELL_RAG_VECTOR_STORAGE_PERSISTENCE_PATH=FOLDER it stays.

await RAG.ingest([
  { file: "garden.md", metadata: { topic: "garden" } },
  { id: "bike", text: "# Bicycle\n\nOil the chain after rain. The pump is in the shed.", metadata: { topic: "workshop" } },
]);
const { documents, chunks } = await RAG.getStats();
print(`${documents} documents, ${chunks} passages`);

const question = "when is the compost ready?";
for (const hit of (await RAG.search(question, { top_k: 1 })).results) print(`${hit.source} > ${hit.heading}: ${hit.content}`);

// filters act before passages are ranked
print((await RAG.search("rain", { top_k: 1, filters: { topic: "workshop" } })).results[0].id);

// what a model would be asked: passages with the numbers that its answer cites
print(await RAG.context(question, { top_k: 2, max_tokens: 60 }));

// notes of one conversation: only calls that name it find them
const mine = RAG.createSessionCollection("today", 600);
await RAG.ingest({ id: "guest", text: "Anna comes at six and brings the saw." }, mine);
print(`${(await RAG.search("who brings the saw", mine)).total} in the session, ${await RAG.cleanupScope("session", "today")} removed`);
