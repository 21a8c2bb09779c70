/**
 * GGUF on WebGPU in Node, for real, where that can be: the optional package `webgpu`, and an adapter with shader-f16. CI has neither. By hand, with Mesa 25:
 *   npm install --no-save webgpu@0.6.2
 *   VK_ICD_FILENAMES=/usr/share/vulkan/icd.d/lvp_icd.json npx vitest run --project unit test/node/gguf-webgpu.test.ts
 */
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { nodeGgufRuntime } from "../../src/node/gguf.ts";
import { collect, load } from "../../src/node/index.ts";

function whyNot(): string | undefined {
  try {
    createRequire(import.meta.url).resolve("webgpu");
  } catch {
    return "the optional package webgpu (132 MB) is not installed";
  }
  return process.env["VK_ICD_FILENAMES"] === undefined ? "VK_ICD_FILENAMES names no driver with shader-f16" : undefined;
}

const missing = whyNot();
const { preview } = nodeGgufRuntime();
const seen = missing === undefined ? await preview?.([], { device: "webgpu" }) : undefined;
const reason = missing ?? (seen?.chosen === undefined ? seen?.tried[0]?.hint : undefined);

describe.skipIf(reason !== undefined)(`GGUF on WebGPU in Node${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  it("writes what the processor writes, and says that it is a processor in disguise where it is one", async () => {
    const greedy = { temperature: 0, repeatPenalty: 1, maxTokens: 48 } as const;
    await using cpu = await load("tiny-stories", { device: "cpu" });
    await using gpu = await load("tiny-stories", { device: "webgpu" });
    expect(gpu.device).toMatchObject({ chosen: "webgpu", runtime: "wllama" });
    expect(gpu.device.tried.at(-1)?.hint).toMatch(/(\d+) of \1 layers/);
    expect(await collect(gpu.stream("Once upon a time", greedy))).toBe(await collect(cpu.stream("Once upon a time", greedy)));
  }, 300_000);
});
