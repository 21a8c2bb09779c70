/** What Ollama's own API tells of real models: the hash of the file that is there, and how long it stays in memory. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createFetch } from "../../../src/core/serve/create-fetch.ts";
import { createSpell } from "../../../src/node/main.ts";
import { root } from "../../support.ts";

it("tells the hash of a model's file, and of none that nobody wrote down", async () => {
  const file = join(root, "builtins/models/tiny-stories/tiny-stories.gguf");
  const spell = createSpell({ config: { providers: { candle: { provider_type: "candle" } } }, env: {} });
  onTestFinished(() => spell.dispose());
  const fetch = createFetch(spell, { ollamaApi: true, models: { "tiny-stories": "tiny-stories", mine: file }, only: true });
  const { models } = (await (await fetch("/api/tags")).json()) as {
    readonly models: readonly { readonly name: string; readonly digest: string; readonly modified_at: string }[];
  };
  const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
  expect(models.map(({ name, digest: told }) => [name, told])).toEqual([
    ["tiny-stories", digest],
    ["mine", ""],
  ]);
  // a file that was named has its own time
  const seconds = Math.trunc(statSync(file).mtimeMs / 1000) * 1000;
  expect(models.map(({ modified_at }) => Date.parse(modified_at))).toEqual([seconds, seconds]);
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"model":"tiny-stories"}' };
  expect(await (await fetch("/api/show", init)).json()).toMatchObject({ digest });
});
