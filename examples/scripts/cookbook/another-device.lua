-- A device that is not there is told; then the next one.
--   llmspell run examples/scripts/cookbook/another-device.lua

for _, device in ipairs({ "cuda", "cpu" }) do
  local ok, result = pcall(LocalLLM.generate, "tiny-stories", "Once", { device = device, max_tokens = 10, seed = 1 })
  if ok then
    print(result.device.chosen, result.text)
    break
  end
  print(device, result.code)
end
