-- What went wrong, and what to do.
--   llmspell run examples/scripts/getting-started/06-errors.lua

local ok, fault = pcall(LocalLLM.generate, "tiny-storys", "Once")
print(ok, fault.code)
print(fault.message)
for _, command in ipairs(fault.commands or {}) do print("  " .. command) end
