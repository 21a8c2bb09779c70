/** The command line before an Ollama server, which a scripted one plays. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cli } from "../support.ts";

let lines: readonly unknown[] = [];
let status = 200;
const names = ["smol:latest", "some-user/Capital-8B:Q8_0", "localhost:5000/a/b:c"];
const asked: unknown[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    const models = names.map((name) => ({ name, size: 1, context_length: 0 }));
    if (request.method === "GET") return response.end(JSON.stringify({ models }));
    asked.push((JSON.parse(body) as { readonly model: string }).model);
    if (request.url === "/api/show") return response.end(JSON.stringify({ model_info: { "llama.context_length": 0 } }));
    return response.writeHead(status).end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  });
});
let env: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  env = { OLLAMA_HOST: `127.0.0.1:${(server.address() as AddressInfo).port}` };
});
afterEach(() => {
  lines = [];
  status = 200;
  asked.length = 0;
});
afterAll(() => server.close());

const thoughts = [{ message: { content: "", thinking: "I consider" } }];
const end = { message: { content: "" }, done: true, done_reason: "length", eval_count: 40 };

describe("a model that only thought", () => {
  it("says so in a note, and keeps its thinking in JSON", async () => {
    lines = [...thoughts, end];
    const text = await cli(["generate", "-m", "smol@ollama", "hi"], { env });
    expect(text).toMatchObject({ status: 0, stdout: "" });
    expect(text.stderr).toContain("note: the model spent all 40 tokens on thinking and gave no answer\n");
    const { stdout } = await cli(["generate", "-m", "smol@ollama", "--output", "json", "hi"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ text: "", reasoning: "I consider", warnings: [{ code: "answer-missing" }] });
  });

  it("leaves a conversation as it was", async () => {
    lines = [...thoughts, { ...end, done_reason: "stop" }];
    const { stdout, stderr } = await cli(["chat", "-m", "smol@ollama", "--output", "json"], { env, input: "hi\n" });
    expect(JSON.parse(stdout)).toMatchObject({ status: "ok", messages: [] });
    expect(stderr).toContain("the model ended after thinking, without an answer");
  });
});

it("a thought is shown on standard error, and hidden by -q; the answer alone is the result", async () => {
  lines = [
    ...thoughts,
    { message: { content: "", thinking: " and see." } },
    { message: { content: "Yes." } },
    { ...end, done_reason: "stop" },
  ];
  for (const command of ["generate", "chat"]) {
    const words = command === "generate" ? ["hi"] : [];
    const shown = await cli([command, "-m", "smol@ollama", ...words], { env, input: "hi\n" });
    expect(shown.stdout).toBe("Yes.\n");
    expect(shown.stderr).toContain("I consider and see.\n");
    const quiet = await cli([command, "-q", "-m", "smol@ollama", "--reasoning", "off", ...words], { env, input: "hi\n" });
    expect(quiet).toMatchObject({ stdout: "Yes.\n", stderr: "" });
  }
  const wrong = await cli(["generate", "--reasoning", "some", "hi"], { env });
  expect(wrong.stderr).toContain("--reasoning: expected auto, off");
});

it("what a server says is shown in words", async () => {
  [status, lines] = [400, [{ error: { message: "context too long", code: 400 } }]];
  const outcome = await cli(["generate", "-m", "smol@ollama", "hi"], { env });
  expect(outcome.status).toBe(5);
  expect(outcome.stderr).toMatch(/^Error: the Ollama server at \S+ answered 400: context too long$/m);
});

it("every listed id is typed again, and a context of 0 is not reported", async () => {
  lines = [{ message: { content: "hi" }, done: true }];
  const list = JSON.parse((await cli(["model", "list", "--backend", "ollama", "--output", "json"], { env })).stdout);
  expect(list.models.map(({ id }: { readonly id: string }) => id)).toEqual(names.map((name) => `${name}@ollama`));
  for (const name of names) {
    expect(await cli(["generate", "-m", `${name}@ollama`, "hi"], { env })).toMatchObject({ status: 0, stdout: "hi\n" });
    const info = JSON.parse((await cli(["model", "info", `${name}@ollama`, "--output", "json"], { env })).stdout);
    expect(info).toMatchObject({ id: `${name}@ollama`, context_length: null });
    expect(new Set(asked)).toEqual(new Set([name]));
    asked.length = 0;
  }
  const running = JSON.parse((await cli(["ps", "--output", "json"], { env })).stdout);
  expect(running.models.map((model: { readonly context_size: unknown }) => model.context_size)).toEqual([null, null, null]);
});

it("verifying a model of a server names what does it instead", async () => {
  const { status, stderr } = await cli(["model", "verify", "smol@ollama"]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/looks after its own files[\s\S]*\n {2}llmspell model pull smol@ollama\n/);
});
