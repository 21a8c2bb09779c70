import { readFile } from "node:fs/promises";
import { it } from "vitest";
import { hasMemory64 } from "../../../src/engines/wllama/features.ts";
import { builds } from "../../../tools/engine-wasm.mjs";
import { graphSuite } from "../../support/graph-suite.ts";
import { kernelSuite } from "../../support/kernel-suite.ts";

const root = new URL("../../../", import.meta.url);

for (const { bits, engine } of builds) {
  const files = { engine, kernels: `src/kernels/kernels-${bits}.wasm` };
  const read = (which: keyof typeof files): Promise<Uint8Array> => readFile(new URL(files[which], root));
  if (bits === 32 || hasMemory64()) {
    kernelSuite(bits, read);
    graphSuite(bits, read);
  } else it.skip("addresses of 64 bits (skipped: this Node has none; the browser suite runs the kernels for them)", () => undefined);
}
