// Labels each line of a CSV on standard input. Take a chat model, as -- --model smollm2-135m.
//   llmspell run examples/scripts/cookbook/label-csv.js < reviews.csv

const text = (await Utils.read_stdin()) || "I love it\nIt broke after a day\n";
for (const line of text.split("\n").filter((each) => each !== "")) {
  const prompt = `Is this review good or bad? Answer with one word.\nReview: ${line}\nAnswer:`;
  const { text: label } = await LocalLLM.generate(ARGS.model ?? "tiny-stories", prompt, { max_tokens: 3, temperature: 0 });
  console.log(`${line},${Utils.trim(label).replace(/[\n,]/g, " ")}`);
}
