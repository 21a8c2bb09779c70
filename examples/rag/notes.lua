-- Notes that are found by words, and a prompt that is made of them.
--   LLMSPELL_RAG_ENABLED=true LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS=true llmspell run examples/rag/notes.lua
-- The index lasts as long as the run; with LLMSPELL_RAG_VECTOR_STORAGE_PERSISTENCE_PATH=FOLDER it stays.

RAG.ingest({
  {file = "garden.md", metadata = {topic = "garden"}},
  {id = "bike", text = "# Bicycle\n\nOil the chain after rain. The pump is in the shed.", metadata = {topic = "workshop"}},
})
local stats = RAG.get_stats()
print(stats.documents .. " documents, " .. stats.chunks .. " passages")

local question = "when is the compost ready?"
for _, hit in ipairs(RAG.search(question, {top_k = 1}).results) do
  print(hit.source .. " > " .. hit.heading .. ": " .. hit.content)
end

-- filters act before passages are ranked
print(RAG.search("rain", {top_k = 1, filters = {topic = "workshop"}}).results[1].id)

-- what a model would be asked: passages with the numbers that its answer cites
print(RAG.context(question, {top_k = 2, max_tokens = 60}))

-- notes of one conversation: only calls that name it find them
local mine = RAG.create_session_collection("today", 600)
RAG.ingest({id = "guest", text = "Anna comes at six and brings the saw."}, mine)
print(RAG.search("who brings the saw", mine).total .. " in the session, " .. RAG.cleanup_scope("session", "today") .. " removed")
