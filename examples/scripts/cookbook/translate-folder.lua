-- Translates every .txt beside the script; the variable lets scripts read there.
--   LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS=true llmspell run -p candle examples/scripts/cookbook/translate-folder.lua

local translator = Agent.builder():model("tiny-t5-en-fr"):build()
for _, entry in ipairs(Utils.list_dir(".")) do
  local name = type(entry) == "table" and entry.name or entry
  if name:match("%.txt$") then
    for line in Utils.read_file(name):gmatch("[^\n]+") do
      print(name, translator:complete("translate English to French: " .. line))
    end
  end
end
