/** E13: what the driver believes of an engine that falls back to the processor without a word. The engine here is scripted: it says what wllama's log says. */
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import type { GgufOpenOptions } from "../../../src/core/spec/runtime.ts";
import { openWllama, type WllamaHost } from "../../../src/engines/wllama/driver.ts";
import type { WllamaLike } from "../../../src/engines/wllama/instance.ts";
import { openOptions } from "../../node/support/engine.ts";
import { failure } from "../../support/failure.ts";

interface Script {
  /** lines of its log while it loads */
  readonly log: readonly string[];
  /** log-probabilities of the likeliest tokens after the first step */
  readonly first?: readonly (number | undefined)[];
}

function scripted(device: "webgpu" | "wasm", { log, first = [-0.1, -2.5] }: Script) {
  const loads: Readonly<Record<string, unknown>>[] = [];
  let exits = 0;
  const host: WllamaHost = {
    label: "wllama, scripted",
    device,
    maxFileBytes: 1e9,
    threads: { prompt: 1, decode: 1, origin: "default" },
    notes: [],
    create(_onDeath, onLog): WllamaLike {
      return {
        async loadModel(_blobs, params) {
          loads.push(params);
          for (const line of log) onLog(line);
        },
        getLoadedContextInfo: () => ({ success: true, n_vocab: 10, n_ctx: 512, add_bos_token: true }),
        async createCompletion({ onData }) {
          const top_logprobs = first.map((logprob) => (logprob === undefined ? {} : { logprob }));
          (onData as (chunk: unknown) => void)({ choices: [{ text: "a", logprobs: { content: [{ top_logprobs }] } }] });
        },
        createEmbedding: () => Promise.reject(new Error("not asked for")),
        isMultithread: () => false,
        _getDebugInfo: () => Promise.reject(new Error("one thread has no choice")),
        exit: async () => {
          exits += 1;
        },
      };
    },
  };
  const open = (options: Partial<GgufOpenOptions> = {}) =>
    openWllama(host, [bytesSource("model.gguf", new Uint8Array(8))], { ...openOptions, ...options, device });
  return { open, loads, exits: () => exits };
}

const placed = "load_tensors: offloaded 5/5 layers to GPU";

describe("E13 wllama on WebGPU", () => {
  it("is reported as WebGPU with the layers its log counts", async () => {
    const { open, loads } = scripted("webgpu", { log: ["ggml_webgpu: adapter_info: vendor_id: 5348", placed] });
    const { device } = await open();
    expect(device).toMatchObject({ chosen: "webgpu", tried: [{ device: "webgpu", ok: true, hint: "wllama, scripted, 5 of 5 layers" }] });
    expect(loads[0]).toMatchObject({ n_gpu_layers: 99_999 });
  });

  it("writes what tells where layers lie, and on the processor no line for a token", async () => {
    const [card, processor] = [scripted("webgpu", { log: [placed] }), scripted("wasm", { log: [] })];
    await card.open();
    await processor.open();
    expect([card, processor].map(({ loads }) => loads[0]?.["log_level"])).toEqual([2, 3]);
  });

  it.each([
    ["no word of layers", []],
    ["no layer", ["load_tensors: offloaded 0/5 layers to GPU"]],
  ])("%s there → device-unavailable, and the instance is ended", async (_, log) => {
    const { open, exits } = scripted("webgpu", { log });
    expect((await failure(open())).code).toBe("device-unavailable");
    expect(exits()).toBe(1);
  });

  it.each([
    ["no numbers", [Number.NaN, Number.NaN]],
    ["the same number for all", [-2, -2]],
    ["no probabilities", [undefined, undefined]],
  ])("a first step of %s → run-nan, in WebAssembly too", async (_, first) => {
    expect((await failure(scripted("webgpu", { log: [placed], first }).open())).code).toBe("run-nan");
    expect((await failure(scripted("wasm", { log: [], first }).open())).code).toBe("run-nan");
  });

  it("in WebAssembly no layer leaves the processor, and no log is believed", async () => {
    const { open, loads } = scripted("wasm", { log: [placed], first: [] });
    expect((await open()).device).toMatchObject({ chosen: "wasm", tried: [{ device: "wasm" }] });
    expect(loads[0]).toMatchObject({ n_gpu_layers: 0 });
  });

  it.each([
    ["wasm", { count: 8, size: 32 }, 512, false],
    ["wasm", { count: 8, size: 64 }, 512, undefined],
    ["wasm", { count: 0, size: 0 }, 512, undefined],
    ["wasm", undefined, 512, undefined],
    ["wasm", { count: 64, size: 32 }, 32_768, undefined],
    ["webgpu", { count: 8, size: 32 }, 512, undefined],
  ] as const)("on %s with heads %o and %i tokens, attention in one operation is %s", async (device, heads, contextLength, wanted) => {
    const { open, loads } = scripted(device, { log: [placed], first: [-1, -2] });
    await open({ heads, contextLength });
    expect(loads[0]?.["flash_attn"]).toBe(wanted);
  });
});
