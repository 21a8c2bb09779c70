-- The text as it comes; false ends it.
--   llmspell run examples/scripts/getting-started/03-stream.lua

local pieces = 0
LocalLLM.generate("tiny-stories", "The little dog", {
  seed = 1,
  on_token = function(text)
    io.write(text)
    pieces = pieces + 1
    return pieces < 30
  end,
})
print()
