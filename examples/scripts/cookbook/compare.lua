-- Two models, one question.
--   llmspell run examples/scripts/cookbook/compare.lua 'Where is the station?'

local question = ARGS[1] or "Where is the station?"
for _, model in ipairs({ "tiny-stories", "tiny-t5-en-fr" }) do
  local answer = LocalLLM.generate(model, question, { max_tokens = 20, temperature = 0 })
  print(model, answer.completion_tokens, Utils.trim(answer.text))
end
