/** Finding the number of threads, with scripted clocks; the real measurement is in llama-engine.test.ts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { promptPace, type ThreadPace, threadPace } from "../../../src/node/engines/llama-pace.ts";
import { watchOthers } from "../../../src/node/engines/machine-load.ts";
import {
  chooseOnnxThreads,
  clampThreads,
  defaultThreads,
  isQuiet,
  measureThreads,
  readThreadCache,
  shouldMeasureAgain,
  type ThreadProbe,
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

  it.each([
    [0, 0, 2, 2],
    [0, 0.4, 2, 2],
    [0, 0.7, 2, 1],
    [0, 2, 2, 1],
    [0, 5, 16, 8],
    [0, 12, 16, 4],
    [2, 2, 2, 2],
  ])("for ONNX Runtime: %d asked for, others keep %d of %d processors busy: %d", (asked, others, cores, expected) => {
    const { threads } = chooseOnnxThreads(asked, others, cores);
    expect(threads).toEqual({ prompt: expected, decode: expected, origin: asked > 0 ? "asked" : "default" });
  });

  it("for ONNX Runtime: all processors where nothing is known of others", () => {
    expect(chooseOnnxThreads(0, undefined, 4).threads.decode).toBe(4);
  });
});

describe("measuring", () => {
  const alone = () => () => 0;
  const probeOf = (
    prompt: (threads: number, limitMs: number) => Promise<number>,
    decode: (threads: number, limitMs: number) => Promise<number>,
  ): ThreadProbe => ({ prompt, decode, promptTokens: 20 });
  const clock = (prompt: Readonly<Record<number, number>>, decode: Readonly<Record<number, number>>) =>
    probeOf(
      async (threads) => prompt[threads] ?? Number.NaN,
      async (threads) => decode[threads] ?? Number.NaN,
    );

  it("finds prompt and decode apart, and what one thread takes", async () => {
    const found = await measureThreads([1, 2, 4], clock({ 1: 100, 2: 52, 4: 30 }, { 1: 10, 2: 14, 4: 130 }), 1000, alone);
    expect(found).toEqual({ prompt: 4, decode: 1, oneMs: 10, onePromptMs: 5, isSteady: true, others: 0 });
  });

  it("takes fewer threads where more win next to nothing", async () => {
    expect(await measureThreads([1, 2, 4], clock({ 1: 100, 2: 51, 4: 49 }, { 1: 10, 2: 9.8, 4: 9.7 }), 1000)).toMatchObject({
      prompt: 2,
      decode: 1,
    });
  });

  it("goes on while samples disagree, and does without one that was late", async () => {
    let call = 0;
    const decode = async (threads: number): Promise<number> => (threads === 1 ? 10 : ++call === 1 ? 90 : 5);
    expect(
      await measureThreads(
        [1, 2],
        probeOf(async () => 1, decode),
        1000,
      ),
    ).toMatchObject({ decode: 2, isSteady: true });
    expect(call).toBe(12);
  });

  it("does not call one thread settled where two were better in every good sample", async () => {
    let call = 0;
    // every other sample of two threads waits for another program
    const prompt = async (threads: number): Promise<number> => (threads === 1 ? 10 : ++call % 2 === 1 ? 90 : 6);
    expect(
      await measureThreads(
        [1, 2],
        probeOf(prompt, async () => 1),
        1000,
      ),
    ).toMatchObject({ prompt: 1, isSteady: false });
  });

  it("says what other programs did meanwhile", async () => {
    expect(await measureThreads([1, 2], clock({ 1: 1, 2: 1 }, { 1: 1, 2: 1 }), 1000, () => () => 1.5)).toMatchObject({
      isSteady: true,
      others: 1.5,
    });
  });

  it("tells a sample when it has lost, so that a collapse costs little", async () => {
    const limits: number[] = [];
    const decode = async (threads: number, limitMs: number): Promise<number> => {
      if (threads === 2) limits.push(limitMs);
      return threads === 1 ? 10 : 500;
    };
    expect(
      await measureThreads(
        [1, 2],
        probeOf(async () => 1, decode),
        1000,
      ),
    ).toMatchObject({ decode: 1, isSteady: true });
    expect(new Set(limits)).toEqual(new Set([30]));
  });

  it("tries every number once, where the first samples take longer than its time", async () => {
    let now = 0;
    const clockOf = vi.spyOn(performance, "now").mockImplementation(() => now);
    const seen: string[] = [];
    const taking = (kind: string, ms: number) => async (threads: number) => {
      seen.push(`${kind}${threads}`);
      now += ms;
      return 40 / threads;
    };
    const found = await measureThreads([1, 2], probeOf(taking("prompt", 120), taking("decode", 10)), 100, alone);
    clockOf.mockRestore();
    expect(seen).toEqual(["decode1", "decode2", "prompt1", "prompt2"]);
    expect(found).toMatchObject({ prompt: 2, decode: 2 });
  });

  it("stops when its time is over and decides by what it has", async () => {
    const seen: string[] = [];
    const slow = (kind: string) => async (threads: number) => {
      seen.push(`${kind}${threads}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      return 30 / threads;
    };
    const found = await measureThreads([1, 2, 4], probeOf(slow("prompt"), slow("decode")), 25);
    expect(seen.length).toBeLessThan(5);
    expect(found).toMatchObject({ prompt: found.decode, isSteady: false });
  });
});

describe("other programs", () => {
  it("are what is busy and not of this process, in processors", () => {
    const clocks = [
      { busyMs: 5000, ownMs: 100, atMs: 0 },
      { busyMs: 5010, ownMs: 105, atMs: 20 },
      { busyMs: 6500, ownMs: 600, atMs: 1000 },
    ];
    const others = watchOthers(() => clocks.shift() ?? { busyMs: 6500, ownMs: 1700, atMs: 2000 });
    expect(others()).toBeUndefined();
    expect(others()).toBe(1);
    expect(others()).toBe(0);
  });

  it("are seen on this machine", async () => {
    const others = watchOthers();
    const busy = spawn(process.execPath, ["-e", "for (const end = Date.now() + 700; Date.now() < end;);"]);
    await once(busy, "exit");
    expect(others()).toBeGreaterThan(0.3);
  });

  it("make a choice one that does not stay", () => {
    const kept = (others: number, isSettled = false) => ({ prompt: 1, decode: 1, others, isSettled });
    expect(isQuiet(0.1)).toBe(true);
    expect(isQuiet(undefined)).toBe(true);
    expect(isQuiet(availableParallelism())).toBe(false);
    expect(shouldMeasureAgain(kept(1.8), 0)).toBe(true);
    expect(shouldMeasureAgain(kept(1.8), 0.8)).toBe(true);
    expect(shouldMeasureAgain(kept(1.8), 1.7)).toBe(false);
    expect(shouldMeasureAgain(kept(1.8), undefined)).toBe(false);
    expect(shouldMeasureAgain(kept(0, true), 0)).toBe(false);
  });
});

describe("a prompt", () => {
  it("is tried with its threads, and the rest goes on with one where they do not pay", () => {
    const busy = promptPace(2, 1, 512);
    expect([busy.threads, busy.size(1000)]).toEqual([2, 64]);
    busy.told(64, 500);
    expect([busy.threads, busy.size(936), busy.size(100)]).toEqual([1, 512, 100]);
    const quiet = promptPace(2, 1, 512);
    quiet.told(64, 40);
    expect([quiet.threads, quiet.size(936)]).toEqual([2, 512]);
  });

  it("is read in whole batches where it is short, where one thread reads it, or where one was not measured", () => {
    expect(promptPace(2, 1, 512).size(100)).toBe(100);
    expect(promptPace(2, 1, 32).size(1000)).toBe(32);
    for (const whole of [promptPace(1, 1, 512), promptPace(2, undefined, 512)]) {
      expect(whole.size(1000)).toBe(512);
      whole.told(512, 100_000);
    }
    const fixed = promptPace(2, 1, 512, true);
    expect(fixed.size(1000)).toBe(512);
    fixed.told(512, 5000);
    expect([fixed.size(488), fixed.threads]).toEqual([488, 1]);
    const unknown = promptPace(2, undefined, 512);
    unknown.told(512, 100_000);
    expect(unknown.threads).toBe(2);
  });
});

describe("an answer", () => {
  /** Threads after each step that took so long. */
  const threadsAfter = (pace: ThreadPace, ...steps: readonly number[]): string => {
    const threads = steps.map((ms) => {
      pace.told(ms);
      return pace.threads;
    });
    return threads.join("");
  };
  const times = (count: number, ms: number): number[] => Array<number>(count).fill(ms);

  it("goes on with one thread for a while where more stopped paying, at once after a step that took as long as many", () => {
    const even = Array.from({ length: 40 }, (_, step) => (step % 8 === 7 ? 60 : 13));
    expect(threadsAfter(threadPace(2, 20), ...even)).toBe("2".repeat(40));
    const busy = threadPace(2, 20);
    expect(threadsAfter(busy, ...times(12, 40))).toBe("222221111111");
    // six of its 96 steps are over
    expect(threadsAfter(busy, ...times(91, 13))).toBe(`${"1".repeat(89)}22`);
    expect(threadsAfter(threadPace(2, 20), 700)).toBe("1");
    expect(threadsAfter(threadPace(2, undefined), 700)).toBe("2");
    // six times as long is late enough only where a step takes that
    expect(threadsAfter(threadPace(2, 20, 6), ...times(40, 100))).toBe("2".repeat(40));
    expect(threadsAfter(threadPace(2, 20, 6), 1000)).toBe("1");
    expect(threadsAfter(threadPace(1, 20), 1)).toBe("1");
  });

  it("takes more threads up again where one is no quicker, because the context is long", () => {
    const long = threadPace(2, 20);
    // late after seven; then eight steps of one thread
    expect(threadsAfter(long, ...times(7, 32), ...times(8, 50), ...times(40, 32))).toBe(
      `${"2".repeat(6)}1${"1".repeat(7)}2${"2".repeat(40)}`,
    );
    // in a short one again
    expect(threadsAfter(long, ...times(8, 13), ...times(6, 40))).toBe(`${"2".repeat(8)}222221`);
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
    writeThreadCache(key, { prompt: cores, decode: 1, oneMs: 8, onePromptMs: 1.5, isSteady: true, others: 0.004 });
    expect(readThreadCache(key)).toEqual({ prompt: cores, decode: 1, oneMs: 8, onePromptMs: 1.5, isSettled: true, others: 0 });
    expect(threadCache()).toEqual([{ key, prompt: cores, decode: 1, isSettled: true }]);
  });

  const tries = (count: number, isSteady: boolean, others: number): boolean | undefined => {
    for (let i = 0; i < count; i++) writeThreadCache("key", { prompt: 1, decode: 1, isSteady, others });
    return readThreadCache("key")?.isSettled;
  };

  it("asks for a disturbed measurement again, but not for ever", () => {
    expect(tries(1, false, 0)).toBe(false);
    expect(tries(1, false, 0)).toBe(false);
    expect(tries(1, false, 0)).toBe(true);
  });

  it("does not settle while other programs compute, however well the samples agree, until it was tried often", () => {
    expect(tries(9, true, cores)).toBe(false);
    expect(readThreadCache("key")).toMatchObject({ prompt: 1, decode: 1, others: cores });
    expect(tries(1, true, cores)).toBe(true);
  });

  it("settles with the first quiet measurement after busy ones", () => {
    expect(tries(2, true, cores)).toBe(false);
    expect(tries(1, true, 0)).toBe(true);
  });

  it("makes the home folder with the first write, for its owner only, and leaves no temporary file", () => {
    expect(() => statSync(home)).toThrow();
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true, others: 0 });
    if (process.platform !== "win32") expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(readdirSync(home)).toEqual(["threads.json"]);
    expect(JSON.parse(readFileSync(join(home, "threads.json"), "utf8"))).toEqual({
      key: { form: 5, prompt: 1, decode: 1, others: 0, isSettled: true, tries: 1 },
    });
  });

  it("forgets the oldest of many entries", () => {
    for (let i = 0; i < 70; i++) writeThreadCache(`key ${i}`, { prompt: 1, decode: 1, isSteady: true, others: 0 });
    expect(threadCache().length).toBe(64);
    expect(readThreadCache("key 69")).toMatchObject({ prompt: 1, decode: 1 });
    expect(readThreadCache("key 0")).toBeUndefined();
  });

  it("takes nothing from a damaged or strange file", () => {
    mkdirSync(home);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '{"key":{"form":3,"prompt":99999,"decode":1}}',
      '{"key":{"form":3,"prompt":"1","decode":1}}',
      '{"key":{"form":2,"prompt":1,"decode":1,"tries":3}}',
      '{"__proto__":{"key":{"prompt":1,"decode":1}}}',
    ]) {
      writeFileSync(join(home, "threads.json"), text);
      expect(readThreadCache("key")).toBeUndefined();
      expect(readThreadCache("toString")).toBeUndefined();
    }
    writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true, others: 0 });
    expect(readThreadCache("key")).toMatchObject({ prompt: 1, decode: 1 });
  });

  it("lives without a home that can be written", () => {
    vi.stubEnv("LLMSPELL_HOME", join(temporaryFile(`no-folder-${homes}`, new Uint8Array(1)), "inside"));
    expect(writeThreadCache("key", { prompt: 1, decode: 1, isSteady: true, others: 0 })).toBeUndefined();
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
    // a busy machine that gets quieter measures again
    for (let i = 0; i < 8 && origins.at(-1) !== "cached"; i++) {
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
