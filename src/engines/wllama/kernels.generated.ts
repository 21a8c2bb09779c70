/** Written by tools/generate.mjs from tools/pinned.json. */

/** Names the kernels that are in dist/wasm (docs/kernels.md): what was measured or tested with others does not hold for them. */
export const kernels = "fb77c45c";
