/** In a browser both kinds of addresses are there, whatever Node runs the other suites. */
import { kernelSuite } from "../../support/kernel-suite.ts";

const engines = { 32: "@wllama/wllama-compat/wasm/wllama.wasm", 64: "@wllama/wllama/esm/wasm/wllama.wasm" } as const;

for (const bits of [32, 64] as const) {
  const files = { engine: `/node_modules/${engines[bits]}`, kernels: `/src/kernels/kernels-${bits}.wasm` };
  kernelSuite(bits, async (which) => new Uint8Array(await (await fetch(files[which])).arrayBuffer()));
}
