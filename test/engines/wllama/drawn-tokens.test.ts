import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../support/drawn-tokens.mjs", import.meta.url));

it("tokens that a form allows are drawn, though others are likelier: the first letter decides for none of them (src/kernels/grammar.c)", async () => {
  // it ends by a signal, since the engine's workers keep it alive
  const { stdout } = await promisify(execFile)(process.execPath, [script, "12"]).catch((error: { readonly stdout: string }) => error);
  const { tried, missed } = JSON.parse(stdout) as { readonly tried: number; readonly missed: readonly unknown[] };
  expect(missed).toEqual([]);
  expect(tried).toBeGreaterThan(40);
});
