/** In a browser both kinds of addresses are there, whatever Node runs the other suites. */
import { graphSuite } from "../../support/graph-suite.ts";
import { kernelSuite } from "../../support/kernel-suite.ts";

const engines = { 32: "@wllama/wllama-compat/wasm/wllama.wasm", 64: "@wllama/wllama/esm/wasm/wllama.wasm" } as const;

for (const bits of [32, 64] as const) {
  const files = { engine: `/node_modules/${engines[bits]}`, kernels: `/src/kernels/kernels-${bits}.wasm` };
  const read = async (which: keyof typeof files): Promise<Uint8Array> => new Uint8Array(await (await fetch(files[which])).arrayBuffer());
  kernelSuite(bits, read);
  graphSuite(bits, read);
}
