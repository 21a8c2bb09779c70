// Sums up a file. Take a chat model, as -- --model smollm2-135m; the story model only goes on writing.
//   llmspell run examples/scripts/cookbook/summarise.js < README.md

const model = ARGS.model ?? "tiny-stories";
const given = Utils.trim(await Utils.read_stdin()).slice(0, 700);
const text = given || "Lily went to the park. She saw a big red ball. The ball rolled into the pond.";
const { text: summary } = await LocalLLM.generate(model, `Sum up in one sentence: ${text}`, { max_tokens: 60, temperature: 0 });
console.log(summary);
