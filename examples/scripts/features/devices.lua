-- Where an answer is computed, and why.
--   llmspell run examples/scripts/features/devices.lua

local agent = Agent.builder():model("tiny-stories"):device("cpu"):max_tokens(10):build()
local device = agent:execute("Once upon a time").metadata.device
print(device.chosen, device.runtime)
for _, attempt in ipairs(device.tried) do print(attempt.device, attempt.ok, attempt.reason) end
