// A name for a change. Take a chat model, as -- --model smollm2-135m.
//   git diff --cached | llmspell run examples/scripts/cookbook/name-commit.js

const change = (await Utils.read_stdin()).slice(0, 800) || "+ print('hello')";
const prompt = `Write a commit message of at most eight words for this change:\n${change}\nMessage:`;
const answer = await LocalLLM.generate(ARGS.model ?? "tiny-stories", prompt, { max_tokens: 16, temperature: 0, stop: ["\n"] });
console.log(Utils.trim(answer.text));
