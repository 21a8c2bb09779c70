-- Which models are here?
--   llmspell run examples/scripts/getting-started/01-hello.lua

for _, model in ipairs(LocalLLM.list("candle")) do
  print(model.id, model.architecture)
end
