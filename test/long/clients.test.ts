/** Clients of other languages and newer runtimes, as they are installed, over HTTP: those of Python, LangChain.js, AI SDK 7. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createServe } from "../../src/core/serve/serve.ts";
import { createSpell } from "../../src/node/main.ts";
import { type Listening, listen } from "../../src/node/serve/listen.ts";
import { install } from "../package/install.ts";
import { nodeFolder, run } from "../package/support.ts";
import { root } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-clients-"));
const spell = createSpell({ env: {} });
let server: Listening;
beforeAll(async () => {
  server = await listen(createServe(spell, { ollamaApi: true }), { port: 0 });
});
afterAll(async () => {
  await server.close();
  await spell.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const python = join(folder, "python");
const program = (name: string): string => join(python, process.platform === "win32" ? "Scripts" : "bin", name);
const packages = ["openai==3.57.0", "llm==0.36", "ollama==0.6.3"];

/** @returns whether it is there now; why not is printed */
function preparePython(): boolean {
  const made = spawnSync("python3", ["-m", "venv", python], { encoding: "utf8" });
  const filled = made.status === 0 ? spawnSync(program("pip"), ["install", "-q", ...packages], { encoding: "utf8" }) : made;
  if (filled.status !== 0)
    console.warn(`skipped: Python and its packages are not to be had here: ${filled.error?.message ?? filled.stderr}`);
  return filled.status === 0;
}

it("Python: openai 3.57.0, ollama 0.6.3, llm 0.36", async ({ skip }) => {
  if (!preparePython()) return skip();
  const { status, stdout, stderr } = await run(program("python"), [join(root, "test/long/clients/clients.py"), server.url], folder);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const got = JSON.parse(stdout);
  expect(got).toMatchObject({ models: true, tokens: 5, usage: 5, responses: "incomplete", completions: 5, ollamaModels: true });
  expect(got).toMatchObject({ missing: "model_not_found", wrong: "top_p" });
  expect(got.whole).not.toBe("");
  expect([got.streamed, got.ollama]).toEqual([got.whole, got.whole]);
  expect(got.ollamaStreamed).not.toBe("");
  expect(got.vector).toBeGreaterThan(1);
  const [reason, text] = got.held;
  if (reason === "stop") expect(JSON.parse(text)).toEqual({ n: expect.any(Number) });
  else expect(reason).toBe("length");

  const model = { model_id: "local", model_name: "tiny-stories", api_base: `${server.url}/v1`, can_stream: true };
  writeFileSync(join(folder, "extra-openai-models.yaml"), JSON.stringify([model]));
  const asked = ["-m", "local", "--no-log", "-o", "max_tokens", "5", "-o", "seed", "3", "Hi"];
  const said = await run(program("llm"), asked, folder, { LLM_USER_PATH: folder, OPENAI_API_KEY: "none" });
  expect({ ...said, stdout: said.stdout.trim() }).toMatchObject({ status: 0, stdout: got.whole.trim() });
});

it("Node 22: LangChain.js 1.6.0, AI SDK 7.0.173", async ({ skip }) => {
  const node = nodeFolder(22);
  if (node === undefined) return skip();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  const exact = ["ai@7.0.173", "@ai-sdk/openai-compatible@3.0.92", "@langchain/openai@1.6.0", "@langchain/core@1.4.0", "zod@4.6.6"];
  install(folder, ...exact);
  cpSync(join(root, "test/long/clients/clients.mjs"), join(folder, "clients.mjs"));
  const { status, stdout, stderr } = await run(join(node, "node"), ["clients.mjs", server.url], folder);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const got = JSON.parse(stdout);
  expect(got).toMatchObject({ tokens: 5, missing: 404, sdkTokens: 5, sdkObject: "boolean" });
  expect(got.whole).not.toBe("");
  expect([got.streamed, got.sdk, got.sdkStreamed]).toEqual([got.whole, got.whole, got.whole]);
  expect(got.vector).toBeGreaterThan(1);
});
