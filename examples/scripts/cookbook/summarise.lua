-- Sums up a file. Take a chat model, as -- --model smollm2-135m; the story model only goes on writing.
--   llmspell run examples/scripts/cookbook/summarise.lua < README.md

local model = ARGS.model or "tiny-stories"
local text = Utils.trim(Utils.read_stdin()):sub(1, 700)
if text == "" then text = "Lily went to the park. She saw a big red ball. The ball rolled into the pond." end
local prompt = "Sum up in one sentence: " .. text
print(LocalLLM.generate(model, prompt, { max_tokens = 60, temperature = 0 }).text)
