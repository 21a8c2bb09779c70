-- An agent's answer, piece by piece.
--   llmspell run examples/scripts/features/agent-streaming.lua

local teller = Agent.builder():model("tiny-stories"):max_tokens(40):seed(7):build()
local answer = teller:stream("One rainy day, Tom", function(chunk) io.write(chunk.text) end)
print()
print(answer.metadata.finish_reason, answer.chunks_received)
