import { readFile } from "node:fs/promises";
import { it } from "vitest";
import { hasMemory64 } from "../../../src/engines/wllama/features.ts";
import { builds } from "../../../tools/engine-wasm.mjs";
import { kernelSuite } from "../../support/kernel-suite.ts";

const root = new URL("../../../", import.meta.url);

for (const { bits, engine } of builds) {
  const files = { engine, kernels: `src/kernels/kernels-${bits}.wasm` };
  if (bits === 32 || hasMemory64()) kernelSuite(bits, (which) => readFile(new URL(files[which], root)));
  else it.skip("addresses of 64 bits (skipped: this Node has none; the browser suite runs the kernels for them)", () => undefined);
}
