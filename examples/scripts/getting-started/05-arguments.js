// Words of the command line.
//   llmspell run examples/scripts/getting-started/05-arguments.js Lily -- --animal dog

const name = ARGS[1] ?? "Tom";
const animal = ARGS.animal ?? "cat";
const { text } = await LocalLLM.generate("tiny-stories", `${name} had a little ${animal}.`, { max_tokens: 30, seed: 3 });
console.log(text);
