-- One prompt, one answer.
--   llmspell run examples/scripts/getting-started/02-generate.lua

local answer = LocalLLM.generate("tiny-stories", "Once upon a time", { max_tokens = 40, temperature = 0 })
print(answer.text)
print(answer.completion_tokens .. " tokens")
