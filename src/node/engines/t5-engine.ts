/**
 * Seq2SeqRuntime over ONNX Runtime, as it is used inside the child process of engine-child.ts: the engine blocks its thread while it computes.
 * Which package, how many threads; everything about T5 is in src/core/t5.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { SpellError } from "../../core/errors.ts";
import type { OnnxRuntime } from "../../core/spec/onnx.ts";
import type { Device, DeviceAttempt, DeviceProbe, Seq2SeqRuntime, ThreadChoice } from "../../core/spec/runtime.ts";
import { openT5 } from "../../core/t5/engine.ts";
import { createBlockStore } from "../store/block-store.ts";
import { lookAtGraphics, mayHaveCard } from "./graphics.ts";
import { type NativeDevice, openNativeOnnx, tryNativeOnnx } from "./onnx-native.ts";
import { openWebOnnx } from "./onnx-web.ts";
import { clampThreads } from "./threads.ts";

/** One engine per process. */
export function createT5Engine(
  name: "onnxruntime-node" | "onnxruntime-web",
): Seq2SeqRuntime & { probe(device: Device): Promise<DeviceProbe> } {
  const runtimes = new Map<Device, Promise<OnnxRuntime>>();
  const start = (device: Device): Promise<OnnxRuntime> => {
    const known = runtimes.get(device);
    if (known !== undefined) return known;
    const starting = name === "onnxruntime-web" ? openWebOnnx() : openNativeOnnx(nativeDevice(device));
    runtimes.set(device, starting);
    return starting;
  };
  return {
    name,
    prepare() {
      start(name === "onnxruntime-web" ? "wasm" : "cpu").catch(() => undefined); // open() reports it
    },
    async probe(device) {
      if (name === "onnxruntime-web" || (device !== "webgpu" && device !== "cuda")) {
        return { ok: false, reason: "missing-feature", hint: `${name} does not compute on ${device}` };
      }
      const problem = await tryNativeOnnx(device);
      if (problem !== undefined) return { ok: false, reason: device === "webgpu" ? "no-adapter" : "driver-missing", hint: problem };
      const { drivers, identity } = lookAtGraphics();
      const through = drivers.length === 0 ? "" : ` (${drivers.map((driver) => driver.name).join(", ")})`;
      // The engine does not say which card it took; where no driver belongs to one, it is a processor.
      const isSoftware = device === "webgpu" && !mayHaveCard(lookAtGraphics());
      return { ok: true, label: `${device}${through}`, isSoftware, identity: `${name} ${ortVersion(name)}, ${identity}` };
    },
    async open(files, options) {
      const { threads: asked, note } = clampThreads(options.threads);
      const device = options.device === "auto" ? (name === "onnxruntime-web" ? "wasm" : "cpu") : options.device;
      const onnx = await start(device);
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

/** @throws SpellError device-unavailable */
function nativeDevice(device: Device): NativeDevice {
  if (device === "cpu" || device === "webgpu" || device === "cuda") return device;
  throw new SpellError("device-unavailable", `onnxruntime-node does not compute on ${device}`);
}

function ortVersion(name: string): string {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return String((JSON.parse(readFileSync(path, "utf8")) as { version?: unknown }).version);
}

/** ONNX Runtime's helpers sleep when there is nothing to do, so all processors may compute: reading weights is the limit, and more threads read faster. */
function usualThreads(): number {
  return Math.min(8, availableParallelism());
}
