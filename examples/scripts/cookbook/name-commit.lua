-- A name for a change. Take a chat model, as -- --model smollm2-135m.
--   git diff --cached | llmspell run examples/scripts/cookbook/name-commit.lua

local change = Utils.read_stdin():sub(1, 800)
if change == "" then change = "+ print('hello')" end
local prompt = "Write a commit message of at most eight words for this change:\n" .. change .. "\nMessage:"
local answer = LocalLLM.generate(ARGS.model or "tiny-stories", prompt, { max_tokens = 16, temperature = 0, stop = { "\n" } })
print(Utils.trim(answer.text))
