-- Try again with less, by the code of the error.
--   llmspell run examples/scripts/features/error-handling.lua

local function ask(max_tokens)
  return LocalLLM.generate("tiny-stories", "Once", { max_tokens = max_tokens }).text
end
local ok, result = pcall(ask, -5)
if not ok then
  Logger.info("asked for too few", { code = result.code })
  result = ask(10)
end
print(#result > 0)
