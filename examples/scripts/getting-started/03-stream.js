// The text as it comes; false ends it.
//   llmspell run examples/scripts/getting-started/03-stream.js

let pieces = 0;
let text = "";
await LocalLLM.generate("tiny-stories", "The little dog", {
  seed: 1,
  on_token(piece) {
    text += piece;
    pieces += 1;
    return pieces < 30;
  },
});
console.log(text);
