/** Finding the number of threads, with scripted clocks; the real measurement is in llama-engine.test.ts. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { threadPace } from "../../../src/node/engines/llama-pace.ts";
import {
  clampThreads,
  defaultThreads,
  fastestTrial,
  measureThreads,
  readThreadCache,
  threadCache,
  threadCandidates,
  threadKey,
  writeThreadCache,
} from "../../../src/node/engines/threads.ts";
import { homeFolder, readHomeJson, writeHomeJson } from "../../../src/node/home.ts";
import { ask, nativeRuntime, openFile, temporaryFile, temporaryFolder, tinyStories } from "../support/engine.ts";

let home: string;
let homes = 0;
beforeEach(() => {
  homes += 1;
  home = temporaryFolder(`home-${homes}`);
  vi.stubEnv("LLMSPELL_HOME", home);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("candidates and limits", () => {
  it("are one, half and all, without repeats", () => {
    expect([1, 2, 3, 8, 64].map((cores) => threadCandidates(cores))).toEqual([[1], [1, 2], [1, 3], [1, 4, 8], [1, 32, 64]]);
    expect([1, 2, 3, 8].map((cores) => defaultThreads(cores))).toEqual([1, 1, 1, 4]);
  });

  it("R26: 0, 1 and 1,000 threads are clamped with a note; negative and fractional numbers are refused", () => {
    expect(clampThreads(0, 4)).toEqual({ threads: 0 });
    expect(clampThreads(1, 4)).toEqual({ threads: 1 });
    expect(clampThreads(1000, 4)).toMatchObject({ threads: 4, note: expect.stringContaining("1000") });
    expect(clampThreads(2, 1)).toMatchObject({ threads: 1, note: expect.stringContaining("2 threads") });
    for (const asked of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => clampThreads(asked, 4)).toThrow(expect.objectContaining({ code: "run-option", where: "threads" }));
    }
  });
});

describe("measuring", () => {
  const clock = (prompt: Readonly<Record<number, number>>, decode: Readonly<Record<number, number>>) => ({
    prompt: async (threads: number) => prompt[threads] ?? Number.NaN,
    decode: async (threads: number) => decode[threads] ?? Number.NaN,
  });

  it("finds prompt and decode apart", async () => {
    const found = await measureThreads([1, 2, 4], clock({ 1: 100, 2: 52, 4: 30 }, { 1: 10, 2: 14, 4: 130 }), 1000);
    expect(found).toEqual({ prompt: 4, decode: 1, oneMs: 10, isSteady: true });
  });

  it("takes fewer threads where more win next to nothing", async () => {
    expect(await measureThreads([1, 2, 4], clock({ 1: 100, 2: 51, 4: 49 }, { 1: 10, 2: 9.8, 4: 9.7 }), 1000)).toMatchObject({
      prompt: 2,
      decode: 1,
    });
  });

  it("counts the better of two samples, and says when they disagree", async () => {
    let call = 0;
    // the first sample of two threads is disturbed
    const decode = async (threads: number): Promise<number> => (threads === 1 ? 10 : ++call === 1 ? 90 : 5);
    const found = await measureThreads([1, 2], { prompt: async () => 1, decode }, 1000);
    expect(found).toMatchObject({ decode: 2, isSteady: false });
  });

  it("tells a sample when it has lost, so that a collapse costs little", async () => {
    const limits: number[] = [];
    const decode = async (threads: number, limitMs: number): Promise<number> => {
      if (threads === 2) limits.push(limitMs);
      return threads === 1 ? 10 : 500;
    };
    expect(await measureThreads([1, 2], { prompt: async () => 1, decode }, 1000)).toMatchObject({ decode: 1, isSteady: true });
    expect(new Set(limits)).toEqual(new Set([30]));
  });

  it("tries every number once, where the first samples take longer than its time", async () => {
    const seen: string[] = [];
    const once = (kind: string, ms: number) => async (threads: number) => {
      seen.push(`${kind}${threads}`);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return 40 / threads;
    };
    const found = await measureThreads([1, 2], { prompt: once("prompt", 40), decode: once("decode", 10) }, 45);
    expect(seen.slice(0, 4)).toEqual(["decode1", "decode2", "prompt1", "prompt2"]);
    expect(found).toMatchObject({ prompt: 2, decode: 2 });
  });

  it("stops when its time is over and decides by what it has", async () => {
    const seen: string[] = [];
    const slow = (kind: string) => async (threads: number) => {
      seen.push(`${kind}${threads}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      return 30 / threads;
    };
    const found = await measureThreads([1, 2, 4], { prompt: slow("prompt"), decode: slow("decode") }, 25);
    expect(seen.length).toBeLessThan(5);
    expect(found).toMatchObject({ prompt: found.decode, isSteady: false });
  });
});

describe("trials", () => {
  const trials = [{ threads: 1 }, { threads: 2 }, { threads: 4 }];
  const inTurn = (times: Readonly<Record<number, readonly number[]>>, seen: string[] = []) =>
    fastestTrial(
      trials,
      async ({ threads }, round) => {
        seen.push(`${round}:${threads}`);
        return times[threads]?.[round] ?? Number.NaN;
      },
      10_000,
    );

  it("try every number of threads, and take the fewest that others do not beat by much", async () => {
    const seen: string[] = [];
    expect(await inTurn({ 1: [90, 50, 51, 50], 2: [80, 30, 31, 30], 4: [95, 29, 30, 29] }, seen)).toEqual({
      best: { threads: 2 },
      isSteady: true,
    });
    expect(seen.slice(0, 3)).toEqual(["0:1", "0:2", "0:4"]);
    expect(seen).toHaveLength(12);
  });

  it("go on without what has lost, and do not believe one lucky round", async () => {
    const seen: string[] = [];
    expect(await inTurn({ 1: [50, 50, 50, 50], 2: [60, 90, 20, 95], 4: [Number.POSITIVE_INFINITY, 1, 1, 1] }, seen)).toMatchObject({
      best: { threads: 1 },
    });
    expect(seen.filter((each) => each.endsWith(":4"))).toEqual(["0:4"]);
  });
});

describe("an answer", () => {
  it("goes on with one thread for a while where more stopped paying, at once after a step that took as long as many", () => {
    const even = threadPace(2, 20);
    expect(Array.from({ length: 40 }, (_, step) => even(step % 8 === 7 ? 60 : 13))).toEqual(Array(40).fill(2));
    const busy = threadPace(2, 20);
    expect(Array.from({ length: 12 }, () => busy(40))).toEqual([2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]);
    // seven of its 96 steps are over
    expect(Array.from({ length: 91 }, () => busy(13)).join("")).toBe(`${"1".repeat(89)}22`);
    expect(threadPace(2, 20)(700)).toBe(1);
    expect(threadPace(2, undefined)(700)).toBe(2);
    expect(threadPace(1, 20)(1)).toBe(1);
  });
});

describe("the cache", () => {
  const cores = availableParallelism();

  it("keeps steady measurements under a key of machine, engine and size", () => {
    const key = threadKey("node-llama-cpp", "3.22.1", 98_000_000);
    expect(key).toBe(threadKey("node-llama-cpp", "3.22.1", 110_000_000));
    expect(key).not.toBe(threadKey("node-llama-cpp", "3.22.1", 400_000_000));
    expect(key).not.toBe(threadKey("node-llama-cpp", "3.23.0", 98_000_000));
    expect(readThreadCache(key)).toBeUndefined();
    writeThreadCache(key, { prompt: cores, decode: 1, isSteady: true });
    expect(readThreadCache(key)).toEqual({ prompt: cores, decode: 1 });
    expect(threadCache()).toEqual([{ key, prompt: cores, decode: 1 }]);
  });

  it("asks for a disturbed measurement again, but not for ever", () => {
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: false });
    expect(readThreadCache("key")).toBeUndefined();
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: false });
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: false });
    expect(readThreadCache("key")).toEqual({ prompt: 1, decode: 1 });
  });

  it("makes the home folder with the first write, for its owner only, and leaves no temporary file", () => {
    expect(() => statSync(home)).toThrow();
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true });
    if (process.platform !== "win32") expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(readdirSync(home)).toEqual(["threads.json"]);
    expect(JSON.parse(readFileSync(join(home, "threads.json"), "utf8"))).toEqual({ key: { form: 2, prompt: 1, decode: 1, tries: 3 } });
  });

  it("forgets the oldest of many entries", () => {
    for (let i = 0; i < 70; i++) writeThreadCache(`key ${i}`, { prompt: 1, decode: 1, isSteady: true });
    expect(threadCache().length).toBe(64);
    expect(readThreadCache("key 69")).toEqual({ prompt: 1, decode: 1 });
    expect(readThreadCache("key 0")).toBeUndefined();
  });

  it("takes nothing from a damaged or strange file", () => {
    mkdirSync(home);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '{"key":{"prompt":99999,"decode":1}}',
      '{"key":{"prompt":"1","decode":1}}',
      '{"__proto__":{"key":{"prompt":1,"decode":1}}}',
    ]) {
      writeFileSync(join(home, "threads.json"), text);
      expect(readThreadCache("key")).toBeUndefined();
      expect(readThreadCache("toString")).toBeUndefined();
    }
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true });
    expect(readThreadCache("key")).toEqual({ prompt: 1, decode: 1 });
  });

  it("lives without a home that can be written", () => {
    vi.stubEnv("LLMSPELL_HOME", join(temporaryFile(`no-folder-${homes}`, new Uint8Array(1)), "inside"));
    expect(writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true })).toBeUndefined();
    expect(readThreadCache("key")).toBeUndefined();
    expect(() => writeHomeJson("other.json", 1)).toThrow(SpellError);
    expect(readHomeJson("other.json")).toBeUndefined();
  });

  it("takes LLMSPELL_HOME as a path, and an empty one as none", () => {
    expect(homeFolder()).toBe(home);
    vi.stubEnv("LLMSPELL_HOME", "");
    expect(homeFolder()).toMatch(/[\\/]\.llmspell$/);
  });
});

describe("a real model", () => {
  it("is measured at first, and from then on known, also where the home cannot be written", async () => {
    const runtime = nativeRuntime();
    const origins: string[] = [];
    for (let i = 0; i < 4; i++) {
      const handle = await openFile(runtime, tinyStories, { threads: 0 });
      const { prompt, decode, origin } = handle.device.threads ?? { prompt: 0, decode: 0, origin: "none" };
      expect(prompt).toBeGreaterThanOrEqual(1);
      expect(decode).toBeGreaterThanOrEqual(1);
      expect(Math.max(prompt, decode)).toBeLessThanOrEqual(availableParallelism());
      origins.push(origin);
      expect((await ask(handle, "Once upon a time", { maxTokens: 3 })).end.completionTokens).toBe(3);
      await handle.dispose();
    }
    if (availableParallelism() === 1) {
      expect(new Set(origins)).toEqual(new Set(["default"]));
      return;
    }
    expect(origins[0]).toBe("measured");
    expect(origins.at(-1)).toBe("cached");

    vi.stubEnv("LLMSPELL_HOME", join(temporaryFile("no-home", new Uint8Array(1)), "inside"));
    const handle = await openFile(runtime, tinyStories, { threads: 0 });
    expect(handle.device.threads?.origin).toBe("measured");
    await handle.dispose();
  });
});
