-- The four best translations.
--   llmspell run examples/scripts/cookbook/n-best.lua 'The cat is sleeping on the bed.'

local prompt = "translate English to French: " .. (ARGS[1] or "The cat is sleeping on the bed.")
local answer = LocalLLM.generate("tiny-t5-en-fr", prompt, { num_beams = 4, num_return_sequences = 4 })
for number, candidate in ipairs(answer.candidates) do print(number, candidate) end
