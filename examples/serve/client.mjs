// A program that knows nothing but an address: the answer of `llmspell serve`, or of any server of OpenAI's shape, as it comes.
//   llmspell serve
//   node examples/serve/client.mjs http://127.0.0.1:8088 tiny-stories "Once upon a time"
const [, , address = "http://127.0.0.1:8088", model = "tiny-stories", prompt = "Once upon a time"] = process.argv;

const response = await fetch(`${address}/v1/chat/completions`, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${process.env.SERVE_TOKEN ?? "none"}` },
  body: JSON.stringify({ model, messages: [{ role: "user", content: prompt }], max_tokens: 30, stream: true }),
});
if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

let rest = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const events = (rest + text).split("\n\n");
  rest = events.pop();
  for (const event of events) {
    if (!event.startsWith("data: {")) continue;
    const { choices, error } = JSON.parse(event.slice("data: ".length));
    if (error) throw new Error(error.message);
    process.stdout.write(choices[0]?.delta.content ?? "");
  }
}
console.log();
