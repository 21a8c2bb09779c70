-- Health, models and details.
--   llmspell run examples/scripts/features/local-llm.lua

print(LocalLLM.status("candle").ready)
local info = LocalLLM.info("tiny-t5-en-fr")
print(info.architecture, info.context_length)
for _, model in ipairs(LocalLLM.available({ recommended = true })) do print(model.name, model.size_bytes) end
