/**
 * Seq2SeqRuntime over ONNX Runtime, as it is used inside the child process of engine-child.ts: the engine blocks its thread while it computes.
 * Which package, how many threads; everything about T5 is in src/core/t5, about BERT in src/core/bert.
 */
import { setTimeout } from "node:timers/promises";
import { openBert } from "../../core/bert/engine.ts";
import { looksLikeBert } from "../../core/bert/files.ts";
import { reportOf } from "../../core/devices/report.ts";
import { SpellError } from "../../core/errors.ts";
import type { Device, DeviceProbe, Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { openT5Encoder } from "../../core/t5/encoder.ts";
import { openT5 } from "../../core/t5/engine.ts";
import { onceFor } from "../../core/values.ts";
import { createBlockStore } from "../store/block-store.ts";
import { lookAtGraphics, mayHaveCard } from "./graphics.ts";
import { watchOthers } from "./machine-load.ts";
import { type NativeDevice, openNativeOnnx, tryNativeOnnx } from "./onnx-native.ts";
import { openWebOnnx } from "./onnx-web.ts";
import { packageVersion } from "./packages.ts";
import { chooseOnnxThreads } from "./threads.ts";

/** One engine per process. */
export function t5Engine(name: "onnxruntime-node" | "onnxruntime-web"): Seq2SeqRuntime & { probe(device: Device): Promise<DeviceProbe> } {
  const others = watchOthers();
  const usualDevice = name === "onnxruntime-web" ? "wasm" : "cpu";
  const start = onceFor(async (device: Device) => (name === "onnxruntime-web" ? openWebOnnx() : openNativeOnnx(nativeDevice(device))));
  return {
    name,
    prepare() {
      start(usualDevice).catch(() => undefined); // open() reports it
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
      return { ok: true, label: `${device}${through}`, isSoftware, identity: `${name} ${packageVersion(name)}, ${identity}` };
    },
    async open(files, options) {
      const onnx = await start(options.device === "auto" ? usualDevice : options.device);
      const isChoice = name === "onnxruntime-web" && options.threads === 0;
      while (isChoice && others() === undefined) await setTimeout(10);
      const { threads, notes } = chooseOnnxThreads(options.threads, isChoice ? others() : 0);
      // From here on what fails is the model's doing.
      options.onProgress?.(0);
      const report = (graph: { readonly threads: number }) =>
        reportOf(onnx.device, name, { prompt: graph.threads, decode: graph.threads, origin: threads.origin });
      const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
      const host = { onnx, threads: threads.decode, report, pause, notes };
      if (options.use !== undefined)
        return (await looksLikeBert(files)) ? openBert(files, host, options) : openT5Encoder(files, host, options);
      return openT5(files, { ...host, now: () => performance.now(), blocks: createBlockStore() }, options);
    },
  };
}

/** @throws SpellError device-unavailable */
function nativeDevice(device: Device): NativeDevice {
  if (device === "cpu" || device === "webgpu" || device === "cuda") return device;
  throw new SpellError("device-unavailable", `onnxruntime-node does not compute on ${device}`);
}
