/**
 * Seq2SeqRuntime over ONNX Runtime, as it is used inside the child process of engine-child.ts: the engine blocks its thread while it computes.
 * Which package, how many threads; everything about T5 is in src/core/t5.
 */

import { availableParallelism } from "node:os";
import type { OnnxRuntime } from "../core/spec/onnx.ts";
import type { DeviceAttempt, Seq2SeqRuntime, ThreadChoice } from "../core/spec/runtime.ts";
import { openT5 } from "../core/t5/engine.ts";
import { createBlockStore } from "./block-store.ts";
import { openNativeOnnx } from "./onnx-native.ts";
import { openWebOnnx } from "./onnx-web.ts";
import { clampThreads } from "./threads.ts";

/** One engine per process. */
export function createT5Engine(name: "onnxruntime-node" | "onnxruntime-web"): Seq2SeqRuntime {
  let loading: Promise<OnnxRuntime> | undefined;
  const start = (): Promise<OnnxRuntime> => {
    loading ??= name === "onnxruntime-node" ? openNativeOnnx() : openWebOnnx();
    return loading;
  };
  return {
    name,
    prepare() {
      start().catch(() => undefined); // open() reports it
    },
    async open(files, options) {
      const { threads: asked, note } = clampThreads(options.threads);
      const onnx = await start();
      // From here on what fails is the model's doing.
      options.onProgress?.(0);
      const attempt: DeviceAttempt = { device: onnx.device, ok: true, reason: "ok", runtime: name };
      return openT5(
        files,
        {
          onnx,
          threads: asked > 0 ? asked : usualThreads(),
          report: ({ threads }) => {
            const choice: ThreadChoice = { prompt: threads, decode: threads, origin: asked > 0 ? "asked" : "default" };
            return { chosen: onnx.device, tried: [attempt], runtime: name, threads: choice };
          },
          pause: () => new Promise((resolve) => setImmediate(resolve)),
          now: () => performance.now(),
          notes: note === undefined ? [] : [note],
          blocks: createBlockStore(),
        },
        options,
      );
    },
  };
}

/** ONNX Runtime's helpers sleep when there is nothing to do, so all processors may compute: reading weights is the limit, and more threads read faster. */
function usualThreads(): number {
  return Math.min(8, availableParallelism());
}
