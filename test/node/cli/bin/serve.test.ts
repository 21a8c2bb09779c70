/** `llmspell serve` as a process: SIGTERM with an answer under way, and a port that is taken. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { bin, cleanEnv, cli } from "../support.ts";

it("H23: ends with 0 after SIGTERM, when what it was asked is answered; its port is told to be taken", { timeout: 30_000 }, async () => {
  const child = spawn(process.execPath, [bin, "serve", "--port", "0", "--output", "json"], { env: cleanEnv });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [first] = (await once(child.stdout, "data")) as [Buffer];
  const { url } = JSON.parse(first.toString()) as { readonly url: string };
  const { port } = new URL(url);
  const taken = await cli(["serve", "--port", port, "--output", "json"]);
  expect([taken.status, JSON.parse(taken.stdout)]).toMatchObject([2, { error: { code: "usage-value", where: "--port" } }]);
  const body = JSON.stringify({ model: "tiny-stories", prompt: "Once upon a time", max_tokens: 100, stream: true, seed: 1 });
  const answer = await fetch(`${url}/v1/completions`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  expect(await answer.text()).toContain("[DONE]");
  expect(await ended).toEqual([0, null]);
});
