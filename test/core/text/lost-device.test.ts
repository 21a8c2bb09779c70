/** R1: a device that goes away under a model. With `auto`, before any text, the answer begins again on the next device; otherwise it is an error. */
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { openGgufModel } from "../../../src/core/gguf/model.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";
import type { Device, DeviceChoice, GgufHandle, GgufOpenOptions, GgufRuntime } from "../../../src/core/spec/runtime.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { pooledModel } from "../../../src/core/testing/scripted-model.ts";
import { failure } from "../../support/failure.ts";
import { textOf } from "../../support/text-of.ts";

interface Plant {
  /** how each opened handle on a GPU ends its first answer, and after how many pieces */
  readonly code?: ErrorCode;
  readonly after?: number;
  /** devices that `auto` takes in turn, those that were lost left out */
  readonly order?: readonly Device[];
}

/** Every device answers with its own name, so that an answer tells who gave it. */
function planted({ code = "device-lost", after = 0, order = ["webgpu", "cpu"] }: Plant = {}) {
  const opened: GgufOpenOptions[] = [];
  const disposed: Device[] = [];
  const runtime: GgufRuntime = {
    name: "planted",
    async open(_files, options) {
      opened.push(options);
      const { lost = [] } = options;
      const chosen = options.device === "auto" ? order.find((device) => !lost.includes(device)) : options.device;
      if (chosen === undefined) throw new SpellError("device-unavailable", "nothing is left");
      let alive = true;
      const handle: GgufHandle = {
        get alive() {
          return alive;
        },
        device: { chosen, tried: [{ device: chosen, ok: true, reason: "ok" }], runtime: `planted ${chosen}` },
        contextLength: 128,
        unsupported: [],
        notes: [],
        async *generate() {
          for (const [index, text] of [`${chosen} `, "says ", "hello"].entries()) {
            if (chosen !== "cpu" && index === after) {
              alive = false;
              throw new SpellError(code, `${chosen} is gone`);
            }
            yield { type: "text", text };
          }
          yield { type: "end", finishReason: "stop", promptTokens: 2, cachedTokens: 0, completionTokens: 3, prefillMs: 1, decodeMs: 1 };
        },
        dispose: async () => void disposed.push(chosen),
      };
      return handle;
    },
  };
  const load = (device: DeviceChoice): Promise<LanguageModel> => {
    const facts = { architecture: "llama", controlTokens: [], samplingDefaults: {}, notes: [], bos: { id: 1, text: "<s>" } };
    const options = { device, contextLength: 128, batchSize: 8, threads: 1 };
    const open = () =>
      openGgufModel({ id: "planted", files: [], facts: facts as never }, runtime, memoryPlatform({ gguf: runtime }), options);
    return pooledModel({ id: "planted", key: "planted", open });
  };
  return { opened, disposed, load };
}

async function partsOf(stream: AsyncIterable<StreamPart>): Promise<StreamPart[]> {
  const parts: StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

describe("R1 a device that is lost", () => {
  it.each(["device-lost", "run-crash", "run-nan", "device-memory"] as const)(
    "%s under auto before any text: one restart on the next device, one warning, the whole answer from there",
    async (code) => {
      const { load, opened, disposed } = planted({ code });
      const model = await load("auto");
      const parts = await partsOf(model.stream("Hi"));
      expect(parts.filter(({ type }) => type === "stream-start")).toHaveLength(1);
      expect(parts.filter(({ type }) => type === "warning")).toEqual([
        { type: "warning", code: "device-fallback", message: "webgpu failed (webgpu is gone); cpu computes instead" },
      ]);
      expect(parts.map((part) => (part.type === "text-delta" ? part.text : "")).join("")).toBe("cpu says hello");
      expect(model.device!.chosen).toBe("cpu");
      expect(opened.map(({ lost }) => lost ?? [])).toEqual([[], ["webgpu"]]);
      expect(disposed).toEqual(["webgpu"]);
      expect(await textOf(model.stream("Hi"))).toBe("cpu says hello");
      expect(opened).toHaveLength(2);
    },
  );

  it("under auto after some text: an error with that text, and the next call is answered", async () => {
    const { load, opened } = planted({ after: 2 });
    const model = await load("auto");
    const error = await failure(partsOf(model.stream("Hi")));
    expect(error).toMatchObject({ code: "device-lost", details: { partialText: "webgpu says " } });
    expect(opened).toHaveLength(1);
    // It is gone before the next call begins: that one is answered elsewhere, and says so.
    const parts = await partsOf(model.stream("Hi"));
    expect(parts[0]).toMatchObject({ type: "stream-start", device: { chosen: "cpu" } });
    expect(parts[1]).toEqual({ type: "warning", code: "device-fallback", message: "webgpu was lost; cpu computes instead" });
  });

  it("asked for by name: an error, and no other device in its place", async () => {
    const { load, opened } = planted();
    const model = await load("webgpu");
    expect((await failure(partsOf(model.stream("Hi")))).code).toBe("device-lost");
    expect((await failure(partsOf(model.stream("Hi")))).code).toBe("device-lost");
    expect(opened.map(({ device }) => device)).toEqual(["webgpu", "webgpu"]);
  });

  it("and the next one too: the second loss is an error", async () => {
    const model = await planted({ order: ["webgpu", "cuda", "cpu"] }).load("auto");
    expect((await failure(partsOf(model.stream("Hi")))).message).toBe("cuda is gone");
  });

  it("with several prompts in one call: all of them begin again", async () => {
    const model = await planted().load("auto");
    const texts = ["", ""];
    for await (const { index, part } of model.streamMany(["a", "b"])) if (part.type === "text-delta") texts[index] += part.text;
    expect(texts).toEqual(["cpu says hello", "cpu says hello"]);
  });
});

describe("a device named by one call", () => {
  it("loads the model there once, keeps both, and reports it with the stream", async () => {
    const { load, opened, disposed } = planted({ after: 9 });
    const model = await load("cpu");
    const there = await partsOf(model.stream("Hi", { device: "webgpu" }));
    expect(there[0]).toMatchObject({ type: "stream-start", device: { chosen: "webgpu" } });
    expect(await textOf(model.stream("Hi", { device: "webgpu" }))).toBe("webgpu says hello");
    expect(await textOf(model.stream("Hi"))).toBe("cpu says hello");
    expect(model.device!.chosen).toBe("cpu");
    expect(opened.map(({ device }) => device)).toEqual(["cpu", "webgpu"]);
    await model.dispose();
    expect(disposed.sort()).toEqual(["cpu", "webgpu"]);
  });

  it("is not loaded again where auto has taken it already", async () => {
    const { load, opened } = planted({ order: ["cpu"] });
    const model = await load("auto");
    expect(await textOf(model.stream("Hi", { device: "cpu" }))).toBe("cpu says hello");
    expect(opened).toHaveLength(1);
  });

  it("that is no device is run-option with the list", async () => {
    const model = await planted().load("cpu");
    const error = await failure(partsOf(model.stream("Hi", { device: "gpu" as never })));
    expect(error).toMatchObject({ code: "run-option", where: "device", message: expect.stringContaining("auto, webgpu, metal") });
  });
});
