-- Words of the command line.
--   llmspell run examples/scripts/getting-started/05-arguments.lua Lily -- --animal dog

local name = ARGS[1] or "Tom"
local animal = ARGS.animal or "cat"
print(LocalLLM.generate("tiny-stories", name .. " had a little " .. animal .. ".", { max_tokens = 30, seed = 3 }).text)
