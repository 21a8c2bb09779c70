-- An agent: a model with its settings.
--   llmspell run -p candle examples/scripts/getting-started/04-agent.lua

local translator = Agent.builder():provider("candle"):model("tiny-t5-en-fr"):build()
for _, sentence in ipairs({ "Hello world", "Where is the train station?" }) do
  print(translator:complete("translate English to French: " .. sentence))
end
