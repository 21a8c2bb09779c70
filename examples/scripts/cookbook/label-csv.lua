-- Labels each line of a CSV on standard input. Take a chat model, as -- --model smollm2-135m.
--   llmspell run examples/scripts/cookbook/label-csv.lua < reviews.csv

local text = Utils.read_stdin()
if text == "" then text = "I love it\nIt broke after a day\n" end
for line in text:gmatch("[^\n]+") do
  local prompt = "Is this review good or bad? Answer with one word.\nReview: " .. line .. "\nAnswer:"
  local label = LocalLLM.generate(ARGS.model or "tiny-stories", prompt, { max_tokens = 3, temperature = 0 }).text
  print(line .. "," .. Utils.trim(label):gsub("[\n,]", " "))
end
