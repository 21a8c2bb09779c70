/**
 * Where each architecture computes, and how we know: the one source of the tables in README.md (short) and docs/devices.md. `works` is claimed only with the
 * place where it was run; what was never run on such hardware is `built`.
 */

/**
 * @typedef {{ readonly state: "works", readonly on: string }} Works
 * @typedef {{ readonly state: "built", readonly why?: string }} Built
 * @typedef {{ readonly state: "impossible", readonly because: string }} Impossible
 * @typedef {{ readonly runtime?: string, readonly claim: Works | Built | Impossible }} Cell
 * @typedef {{ readonly architecture: "GGUF" | "T5" | "T5 exported to ONNX", readonly device: string, readonly node: Cell, readonly browser: Cell }} Row
 */

/** @returns {Works} */
const works = (/** @type {string} */ on) => ({ state: "works", on });
/** @returns {Built} */
const built = (/** @type {string | undefined} */ why = undefined) => ({ state: "built", ...(why === undefined ? {} : { why }) });
/** @returns {Impossible} */
const impossible = (/** @type {string} */ because) => ({ state: "impossible", because });

const linux = "Linux x64, Node 20, on every change";
const chromium = "Chromium 156, on every change";
const card = "an NVIDIA H200 (Linux x64, driver 580.159, Vulkan)";
const noNative = impossible("a page reaches graphics cards through WebGPU only");

/** @type {readonly Row[]} */
export const deviceRows = [
  {
    architecture: "GGUF",
    device: "cpu",
    node: { runtime: "node-llama-cpp", claim: works(linux) },
    browser: { claim: impossible("a page computes on the processor in WebAssembly; `cpu` means that there") },
  },
  {
    architecture: "GGUF",
    device: "wasm",
    node: { runtime: "wllama", claim: works(linux) },
    browser: { runtime: "wllama", claim: works(chromium) },
  },
  {
    architecture: "GGUF",
    device: "webgpu",
    node: {
      runtime: "wllama, webgpu (Dawn)",
      claim: works(
        `${card}, where texts may part (below), and on Mesa's software adapter (llvmpipe 25): greedy text equal to the processor's`,
      ),
    },
    browser: {
      runtime: "wllama",
      claim: works(`Chromium 156 with ${card}; needs shader-f16, which Chromium withholds there unless a flag is set (below)`),
    },
  },
  {
    architecture: "GGUF",
    device: "cuda",
    node: { runtime: "node-llama-cpp", claim: built("its files asked for a newer driver than 580; refused by the self-test") },
    browser: { claim: noNative },
  },
  {
    architecture: "GGUF",
    device: "vulkan",
    node: { runtime: "node-llama-cpp, or webgpu on top of it", claim: works(card) },
    browser: { claim: noNative },
  },
  {
    architecture: "GGUF",
    device: "metal",
    node: { runtime: "node-llama-cpp, or webgpu on top of it", claim: built() },
    browser: { claim: noNative },
  },
  {
    architecture: "T5",
    device: "cpu",
    node: { runtime: "onnxruntime-node", claim: works(linux) },
    browser: { claim: impossible("a page computes on the processor in WebAssembly; `cpu` means that there") },
  },
  {
    architecture: "T5",
    device: "wasm",
    node: { runtime: "onnxruntime-web", claim: works(linux) },
    browser: { runtime: "onnxruntime-web", claim: works(chromium) },
  },
  {
    architecture: "T5",
    device: "webgpu",
    node: {
      runtime: "onnxruntime-node",
      claim: works(`${card}; on every change on Chromium's software adapter (SwiftShader) on Linux x64`),
    },
    browser: {
      runtime: "onnxruntime-web",
      claim: works(`Chromium 156 with ${card}; on every change on its software adapter (SwiftShader)`),
    },
  },
  {
    architecture: "T5",
    device: "cuda",
    node: { runtime: "onnxruntime-node with its CUDA files", claim: built() },
    browser: { claim: noNative },
  },
  {
    architecture: "T5",
    device: "vulkan",
    node: {
      runtime: "webgpu on top of it (Linux)",
      claim: works(`${card}; on every change on Chromium's software adapter (SwiftShader) on Linux x64`),
    },
    browser: { claim: noNative },
  },
  {
    architecture: "T5",
    device: "metal",
    node: { runtime: "webgpu on top of it", claim: built() },
    browser: { claim: noNative },
  },
  {
    architecture: "T5 exported to ONNX",
    device: "cpu",
    node: { runtime: "@huggingface/transformers", claim: works(linux) },
    browser: { claim: impossible("a page computes on the processor in WebAssembly; `cpu` means that there") },
  },
  {
    architecture: "T5 exported to ONNX",
    device: "wasm",
    node: { claim: impossible("the package computes natively in Node") },
    browser: { runtime: "@huggingface/transformers", claim: works(chromium) },
  },
  {
    architecture: "T5 exported to ONNX",
    device: "GPUs",
    node: { claim: impossible("only the processor is offered for exports; the same model as safetensors has more devices") },
    browser: { claim: impossible("only WebAssembly is offered for exports; the same model as safetensors has more devices") },
  },
];

/** One cell of the long table. */
export function describeCell(/** @type {Cell} */ { runtime, claim }) {
  const through = runtime === undefined ? "" : `${runtime}: `;
  switch (claim.state) {
    case "works":
      return `${through}works, tested here on ${claim.on}`;
    case "built":
      return `${through}built, not verified${claim.why === undefined ? "" : `; ${claim.why}`}`;
    case "impossible":
      return `not possible, because ${claim.because}`;
  }
}

/** The whole table in Markdown. */
export function deviceTable() {
  const rows = deviceRows.map(
    ({ architecture, device, node, browser }) =>
      `| ${architecture} | ${/^[a-z]/.test(device) ? `\`${device}\`` : device} | ${describeCell(node)} | ${describeCell(browser)} |`,
  );
  return ["| model | device | Node | browser |", "|---|---|---|---|", ...rows].join("\n");
}

/** The short table in Markdown: a tick for what works, a circle for what is built and not verified. */
export function tickTable() {
  const signs = { works: "✓", built: "○", impossible: "–" };
  const devices = ["cpu", "wasm", "webgpu", "cuda", "vulkan", "metal"];
  const rows = [...new Set(deviceRows.map(({ architecture }) => architecture))].flatMap((architecture) =>
    /** @type {const} */ (["node", "browser"]).map((host) => {
      const ticks = devices.map((device) => {
        const row = deviceRows.find((one) => one.architecture === architecture && (one.device === device || one.device === "GPUs"));
        return row === undefined ? "–" : signs[row[host].claim.state];
      });
      return `| ${architecture}, ${host === "node" ? "Node" : "browser"} | ${ticks.join(" | ")} |`;
    }),
  );
  return [
    `| | ${devices.join(" | ")} |`,
    `|---|${":-:|".repeat(devices.length)}`,
    ...rows,
    "",
    "✓ works, tested · ○ built, not verified · – not possible",
  ].join("\n");
}
