/** The rules by which a device is chosen, on planted devices: those that are not there, compute wrongly, fail late, or are too small. */
import { describe, expect, it } from "vitest";
import { type DeviceCandidate, ruledDevices } from "../../../src/core/devices/rules.ts";
import { ggufSelfTest, type Question, runSelfTest, t5SelfTest, type Verdict } from "../../../src/core/devices/self-test.ts";
import { type ErrorCode, SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import type {
  Device,
  DeviceChoice,
  DeviceProbe,
  GgufGenerateOptions,
  GgufOpenOptions,
  ModelHandle,
} from "../../../src/core/spec/runtime.ts";
import stories from "../../golden/tiny-stories.json" with { type: "json" };
import translations from "../../golden/tiny-t5-en-fr.json" with { type: "json" };
import { failure } from "../../support/failure.ts";

type Candidate = DeviceCandidate<GgufOpenOptions, GgufGenerateOptions>;

/** What a planted device does; by default everything right. */
interface Plant {
  readonly device: Device;
  readonly also?: readonly Device[];
  readonly divides?: boolean;
  readonly probe?: Partial<Extract<DeviceProbe, { ok: true }>> | Extract<DeviceProbe, { ok: false }>;
  readonly openFails?: ErrorCode;
  /** words of its answer to the self-test */
  readonly answer?: readonly string[];
  /** throws at this word, counted from 0 */
  readonly failsAt?: number;
}

const rightAnswer = ggufSelfTest.questions[0]?.answer.match(/\S+\s*|^\s+/g) ?? [];

function setting(plants: readonly Plant[], absent: Partial<Record<Device, string>> = {}) {
  const log: string[] = [];
  const kept = new Map<string, Verdict>();
  const candidates = plants.map(
    ({ device, also, divides, probe = {}, openFails, answer = rightAnswer, failsAt }): Candidate => ({
      device,
      runtime: `${device} engine`,
      ...(also === undefined ? {} : { also }),
      ...(divides === undefined ? {} : { divides }),
      async probe() {
        log.push(`look at ${device}`);
        return "reason" in probe ? probe : { ok: true, label: `${device} card`, isSoftware: false, identity: "v1", ...probe };
      },
      async open(files, options) {
        log.push(`open ${files[0]?.name} on ${device}${options.mayDivide === true ? ", divided" : ""}`);
        const isTest = files[0]?.name === "test.gguf";
        if (openFails !== undefined && !isTest) throw new SpellError(openFails, "it fails");
        const handle: ModelHandle<GgufGenerateOptions> = {
          alive: true,
          device: { chosen: device, tried: [{ device, ok: true, reason: "ok" }], runtime: `${device} engine` },
          contextLength: 128,
          unsupported: [],
          notes: [],
          async *generate() {
            for (const [index, text] of answer.entries()) {
              if (index === failsAt) throw new SpellError("run-crash", "the second step was refused");
              yield { type: "text", text };
            }
          },
          dispose: async () => void log.push(`close ${files[0]?.name} on ${device}`),
        };
        return handle;
      },
    }),
  );
  const devices = ruledDevices({
    candidates: () => candidates,
    absent,
    standIn: "cpu",
    selfTest: ggufSelfTest,
    verdicts: { read: async (key) => kept.get(key), write: async (key, verdict) => void kept.set(key, verdict) },
    bundled: async () => bytesSource("test.gguf", new Uint8Array(1)),
  });
  const options = { contextLength: 128, batchSize: 32, threads: 1 };
  const files = [bytesSource("mine.gguf", new Uint8Array(1))];
  return {
    log,
    kept,
    survey: devices.survey,
    preview: (device: DeviceChoice) => devices.preview(files, { device }),
    open: (device: DeviceChoice, more: Partial<GgufOpenOptions> = {}) => devices.open(files, { ...options, ...more, device }),
  };
}

const cpu: Plant = { device: "cpu" };
const wasm: Plant = { device: "wasm", also: ["cpu"] };
const gpu: Plant = { device: "webgpu", also: ["vulkan"] };
const wrong: Plant = { ...gpu, answer: ["Once", " upon"] };
const late: Plant = { ...gpu, failsAt: 1 };

describe("the stored answers", () => {
  it("come from PyTorch and transformers, with margins that no rounding turns", () => {
    const story = stories.data.prompts.find(({ prompt }) => prompt === ggufSelfTest.questions[0]?.prompt);
    expect(story?.text.startsWith(ggufSelfTest.questions[0]?.answer ?? "?")).toBe(true);
    expect(ggufSelfTest.questions[0]?.answer.length).toBeGreaterThan(60);
    for (const { prompt, options, answer } of t5SelfTest.questions) {
      const known = translations.cases.find(({ en }) => translations.prefix + en === prompt);
      expect(options.sampling.kind === "beam" ? known?.beam4_text : known?.greedy_text).toBe(answer);
      expect(known?.min_margin).toBeGreaterThan(0.4);
    }
    // greedy text and beams: the second is no proof of anything where both give the same
    const last = translations.cases.find(({ en }) => t5SelfTest.questions[1]?.prompt.endsWith(en));
    expect(last?.beam4_text).not.toBe(last?.greedy_text);
  });
});

describe("auto", () => {
  it("takes the first device that passes the self-test, and looks at no other", async () => {
    const { open, log, kept } = setting([gpu, cpu]);
    const handle = await open("auto");
    expect(handle.device).toMatchObject({ chosen: "webgpu", tried: [{ device: "webgpu", ok: true, hint: "webgpu card" }] });
    expect(handle.fallbacks).toEqual([]);
    expect(log).toEqual(["look at webgpu", "open test.gguf on webgpu", "close test.gguf on webgpu", "open mine.gguf on webgpu"]);
    expect([...kept.keys()]).toEqual(["gguf on webgpu through webgpu engine | v1"]);
    await open("auto");
    expect(log.slice(4)).toEqual(["look at webgpu", "open mine.gguf on webgpu"]);
  });

  it.each([
    ["computes wrongly", wrong, /expected ", there was.*got "Once upon"/],
    ["fails at the second step", late, /the second step was refused/],
  ] as const)("a device that %s is skipped with a warning, and the verdict is kept", async (_, plant, told) => {
    const { open, log, kept } = setting([plant, cpu]);
    const handle = await open("auto");
    expect(handle.device.chosen).toBe("cpu");
    expect(handle.device.tried[0]).toMatchObject({
      device: "webgpu",
      ok: false,
      reason: "self-test-failed",
      hint: expect.stringMatching(told),
    });
    expect(handle.fallbacks).toEqual([expect.stringMatching(told)]);
    expect([...kept.values()]).toMatchObject([{ ok: false, reason: "self-test-failed" }]);
    expect(log).toContain("close test.gguf on webgpu");
    const before = log.length;
    await open("auto");
    expect(log.slice(before)).toEqual(["look at webgpu", "look at cpu", "open mine.gguf on cpu"]);
  });

  it("never takes a software adapter, however right it computes", async () => {
    const { open, log } = setting([{ ...gpu, probe: { isSoftware: true } }, cpu]);
    const { device, fallbacks } = await open("auto");
    expect(device.chosen).toBe("cpu");
    expect(device.tried[0]).toMatchObject({ reason: "software-adapter" });
    expect(fallbacks).toEqual([]);
    expect(log).not.toContain("open test.gguf on webgpu");
  });

  it("a model that does not fit goes on to the next device with one note; so does one whose largest tensor does not", async () => {
    for (const [probe, reason] of [
      [{ memoryBytes: 1e9 }, "out-of-memory"],
      [{ bufferBytes: 1e6 }, "buffer-too-small"],
    ] as const) {
      const { open } = setting([{ ...gpu, probe }, cpu]);
      const handle = await open("auto", { needs: { memoryBytes: 2e9, bufferBytes: 2e6 } });
      expect(handle.device).toMatchObject({ chosen: "cpu", tried: [{ reason }, { ok: true }] });
      expect(handle.fallbacks).toHaveLength(1);
    }
  });

  it("a device that can divide a model is taken all the same, and told so", async () => {
    const { open, log } = setting([{ device: "cuda", divides: true, probe: { memoryBytes: 1e9 } }, cpu]);
    expect((await open("auto", { needs: { memoryBytes: 2e9, bufferBytes: 1 } })).device.chosen).toBe("cuda");
    expect(log).toContain("open mine.gguf on cuda, divided");
  });

  it.each(["device-unavailable", "device-lost", "device-memory", "run-nan", "run-crash", "onnx-parse"] as const)(
    "a card on which the load ends in %s is passed over",
    async (code) => {
      const { device } = await setting([{ ...gpu, openFails: code }, cpu]).open("auto");
      expect(device.tried).toMatchObject([
        { device: "webgpu", ok: false },
        { device: "cpu", ok: true },
      ]);
    },
  );

  it.each(["gguf-metadata", "run-aborted", "store-denied"] as const)(
    "a load that ends in %s is the model's doing, or the caller's",
    async (code) => {
      expect((await failure(setting([{ ...gpu, openFails: code }, cpu]).open("auto"))).code).toBe(code);
    },
  );

  it("does not take again what was lost under the model", async () => {
    const { device } = await setting([gpu, cpu]).open("auto", { lost: ["webgpu"] });
    expect(device).toMatchObject({
      chosen: "cpu",
      tried: [{ device: "webgpu", ok: false, hint: expect.stringContaining("lost") }, { ok: true }],
    });
  });

  it("where nothing is left the last failure is told, with everything that was tried", async () => {
    const error = await failure(
      setting([wrong, { ...cpu, probe: { memoryBytes: 1 } }]).open("auto", { needs: { memoryBytes: 2, bufferBytes: 1 } }),
    );
    expect(error).toMatchObject({ code: "device-memory", details: { tried: [{ device: "webgpu" }, { device: "cpu" }] } });
  });
});

describe("a device asked for by name", () => {
  it.each([wrong, late])("that fails the self-test is refused: the result is not used", async (plant) => {
    const { open, log } = setting([plant, cpu]);
    const error = await failure(open("webgpu"));
    expect(error).toMatchObject({ code: "device-self-test", exitCode: 4, details: { device: "webgpu", test: "tiny-stories" } });
    expect(error.message).toContain("was not used");
    expect(log).not.toContain("open mine.gguf on webgpu");
  });

  it("R3 that is not there is refused with the fix, never replaced", async () => {
    const install = { kind: "shell", line: "npm install webgpu" } as const;
    const missing = setting([
      { ...gpu, probe: { ok: false, reason: "package-missing", hint: "npm install webgpu", actions: [install] } },
      cpu,
    ]);
    expect(await failure(missing.open("webgpu"))).toMatchObject({
      code: "device-unavailable",
      actions: [install, { kind: "diagnose" }],
      details: { tried: [{ device: "webgpu", reason: "package-missing" }] },
    });
    const unlisted = setting([cpu]);
    expect((await failure(unlisted.open("cuda"))).code).toBe("device-unavailable");
    expect([...missing.log, ...unlisted.log]).toEqual(["look at webgpu"]);
  });

  it("R3 whose engine says itself that it is not available says so once", async () => {
    const hint = "webgpu is not available: the engine has no binary for it here";
    const { open } = setting([{ ...gpu, probe: { ok: false, reason: "driver-missing", hint } }, cpu]);
    expect((await failure(open("webgpu"))).message).toBe(hint);
  });

  it("that is a software adapter is taken with a warning", async () => {
    const handle = await setting([{ ...gpu, probe: { isSoftware: true } }, cpu]).open("webgpu");
    expect(handle.device.chosen).toBe("webgpu");
    expect(handle.notes).toEqual([expect.stringContaining("software adapter")]);
  });

  it("R4 that is too small is refused with both numbers", async () => {
    const { open } = setting([{ ...gpu, probe: { memoryBytes: 1e9 } }, cpu]);
    expect(await failure(open("webgpu", { needs: { memoryBytes: 2e9, bufferBytes: 1 } }))).toMatchObject({
      code: "device-memory",
      details: { neededBytes: 2e9, availableBytes: 1e9 },
      message: expect.stringMatching(/2,000 MB.*1,000 MB/),
    });
  });

  it("R4 whose engine takes no part of this size is refused before anything is loaded, and `auto` goes on", async () => {
    const needs = { memoryBytes: 3e9, bufferBytes: 1, partBytes: 3e9 };
    const { open, log } = setting([{ ...gpu, probe: { partBytes: 1.9e9 } }, cpu]);
    expect(await failure(open("webgpu", { needs }))).toMatchObject({
      code: "device-memory",
      details: { neededBytes: 3e9, availableBytes: 1.9e9 },
      message: expect.stringContaining("at most 1,900 MB at once; the model has 3,000 MB"),
    });
    expect(log.filter((line) => line.startsWith("open"))).toEqual([]);
    expect((await open("auto", { needs })).device.chosen).toBe("cpu");
    const both = setting([
      { ...gpu, probe: { partBytes: 1.9e9 } },
      { ...cpu, probe: { partBytes: 1.9e9 } },
    ]);
    expect((await failure(both.open("auto", { needs }))).code).toBe("device-memory");
  });

  it("that cannot exist here is replaced by the processor, with a warning and what to ask for", async () => {
    const handle = await setting([gpu, cpu], { metal: "webgpu or cuda" }).open("metal");
    expect(handle.device).toMatchObject({ chosen: "cpu", tried: [{ device: "metal", reason: "not-on-this-platform" }, { device: "cpu" }] });
    expect(handle.fallbacks).toEqual(["metal does not exist here; cpu is used (use webgpu or cuda)"]);
  });

  it("vulkan is taken through WebGPU where that lies on top of it, and cpu through WebAssembly where nothing native is there", async () => {
    expect((await setting([gpu, cpu]).open("vulkan")).device.chosen).toBe("webgpu");
    const absent: Plant = { ...cpu, probe: { ok: false, reason: "package-missing", hint: "npm install it" } };
    expect((await setting([gpu, absent, wasm]).open("cpu")).device).toMatchObject({
      chosen: "wasm",
      tried: [{ device: "cpu" }, { device: "wasm" }],
    });
    expect((await setting([gpu, cpu, wasm]).open("wasm")).device.tried).toHaveLength(1);
  });
});

describe("looking without loading", () => {
  it("preview says what would be taken, by verdicts that are known, and runs none", async () => {
    const { preview, open, log } = setting([wrong, cpu]);
    expect(await preview("auto")).toMatchObject({ chosen: "webgpu" });
    expect(log).toEqual(["look at webgpu"]);
    await open("auto");
    expect(await preview("auto")).toMatchObject({
      chosen: "cpu",
      tried: [{ device: "webgpu", reason: "self-test-failed" }, { device: "cpu" }],
    });
    expect((await setting([]).preview("auto")).chosen).toBeUndefined();
  });

  it("survey looks at every device and repeats each self-test, whatever was known", async () => {
    const { survey, kept } = setting([{ ...gpu, probe: { isSoftware: true } }, late, cpu], { metal: "webgpu" });
    kept.set("gguf on cpu through cpu engine | v1", { ok: false, ms: 1, reason: "self-test-failed" });
    const told: string[] = [];
    const { chosen, tried } = (await survey?.({ onAttempt: (attempt) => told.push(attempt.device) })) ?? { tried: [] };
    expect(told).toEqual(["metal", "webgpu", "webgpu", "cpu"]);
    expect(tried).toMatchObject([
      { reason: "not-on-this-platform" },
      { reason: "software-adapter", selfTestMs: expect.any(Number) },
      { reason: "self-test-failed", selfTestMs: expect.any(Number) },
      { device: "cpu", ok: true, selfTestMs: expect.any(Number) },
    ]);
    expect(chosen).toBe("cpu");
    expect(kept.get("gguf on cpu through cpu engine | v1")?.ok).toBe(true);
  });
});

describe("a self-test", () => {
  const question: Question<GgufGenerateOptions> = {
    prompt: "?",
    options: { maxTokens: 1, sampling: {} as never, stop: [] },
    answer: "yes",
  };
  const bundled = async () => bytesSource("test.gguf", new Uint8Array(1));

  it("names a graph that is refused as a missing kernel", async () => {
    const verdict = await runSelfTest({ ...ggufSelfTest, questions: [question] }, bundled, async () => {
      throw new SpellError("onnx-parse", "no kernel for Softmax");
    });
    expect(verdict).toMatchObject({ ok: false, reason: "missing-kernel", detail: "no kernel for Softmax" });
  });

  it("an abort from outside is no verdict", async () => {
    const stop = new AbortController();
    const running = runSelfTest(
      ggufSelfTest,
      bundled,
      async () => {
        stop.abort();
        throw new SpellError("run-aborted", "stopped");
      },
      stop.signal,
    );
    expect((await failure(running)).code).toBe("run-aborted");
  });
});
