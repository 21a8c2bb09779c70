/** The wall around a native engine: whatever happens to the child, the parent lives and says what happened. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, truncateSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { type ByteSource, blobSource } from "../../../src/core/formats/byte-source.ts";
import type { GgufGenerateOptions, GgufHandle, GgufOpenOptions } from "../../../src/core/spec/runtime.ts";
import { childRuntime } from "../../../src/node/engines/child-runtime.ts";
import { brokenGgufs } from "../../fixtures/gguf/broken.ts";
import { tinyT5 } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { linux, posix } from "../../support/only-where.ts";
import { soonMs } from "../../support/soon.ts";
import { root, some } from "../../support.ts";
import {
  ask,
  begun,
  drain,
  endless,
  generateOptions,
  gone,
  isRunning,
  nativeRuntime,
  openFile,
  openOptions,
  sleep,
  temporaryFile,
  tinyStories,
} from "../support/engine.ts";

const prompt = "Once upon a time";
const run = (handle: GgufHandle, options = endless): Promise<void> => drain(handle.generate(prompt, options));

describe("a child that is ended", () => {
  it.each([
    ["tiny-stories", "cpu"],
    ["tiny-stories", "wasm"],
    ["tiny-t5-en-fr", "cpu"],
  ])("while %s answers on %s keeps the program until it is gone: dispose() resolves", async (model, device) => {
    const program = `
      const { load } = await import(${JSON.stringify(`${root}dist/node/index.js`)});
      const model = await load(${JSON.stringify(model)}, { device: ${JSON.stringify(device)} });
      model.generate("Once upon a time", { maxTokens: 300 }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await model.dispose();
      console.log("saved");`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
    expect(stdout).toBe("saved\n");
  });
});

describe("a child that dies", () => {
  it("R5: SIGSEGV, SIGABRT, SIGKILL while generating is run-crash with the signal; the parent lives and a new child answers", async () => {
    const runtime = nativeRuntime();
    let handle = await openFile(runtime, tinyStories);
    const expected = (await ask(handle, prompt)).text;
    for (const signal of ["SIGSEGV", "SIGABRT", "SIGKILL"] as const) {
      const error = await failure(
        (async () => {
          let pieces = 0;
          for await (const _ of handle.generate(prompt, endless)) if (++pieces === 3) process.kill(runtime.pids.at(-1)!, signal);
        })(),
      );
      expect(error.code).toBe("run-crash");
      expect(error.details).toMatchObject({ signal, runtime: "node-llama-cpp" });
      expect(error.message).toContain(signal);
      expect(handle.alive).toBe(false);
      expect((await failure(run(handle))).code).toBe("run-crash");
      handle = await openFile(runtime, tinyStories);
      expect((await ask(handle, prompt)).text).toBe(expected);
    }
    await handle.dispose();
  });

  it("R5: SIGKILL while it loads is one typed error with the signal; nothing is left waiting", async () => {
    const runtime = nativeRuntime();
    const opening = failure(openFile(runtime, tinyStories));
    await vi.waitUntil(() => runtime.pids.length > 0, { timeout: soonMs, interval: 5 });
    await sleep(30);
    process.kill(runtime.pids[0]!, "SIGKILL");
    const error = await opening;
    // before the engine has started, it is the engine that does not work here; after that, the model
    expect(["run-crash", "device-unavailable"]).toContain(error.code);
    expect(error.details).toMatchObject({ signal: "SIGKILL" });
  });

  it("R6: silence is run-crash within the heartbeat, for every pending call", async () => {
    const runtime = nativeRuntime({ silenceMs: 3000 });
    const handle = await openFile(runtime, tinyStories);
    const started = performance.now();
    const calls = [failure(run(handle)), failure(run(handle))];
    process.kill(runtime.pids[0]!, "SIGSTOP");
    const errors = await Promise.all(calls);
    expect(errors.map(({ code }) => code)).toEqual(["run-crash", "run-crash"]);
    expect(errors[0]?.message).toContain("silent");
    expect(performance.now() - started).toBeLessThan(3000 + soonMs);
    await gone(runtime.pids);
  });

  it("R6: a program that blocks its own event loop is no silence of the child", async () => {
    const handle = await openFile(nativeRuntime({ silenceMs: 3000 }), tinyStories);
    const answer = ask(handle, prompt, { maxTokens: 40 });
    await sleep(5);
    const until = performance.now() + 4000;
    while (performance.now() < until);
    expect((await answer).end.completionTokens).toBe(40);
    await handle.dispose();
  });

  posix.it("R25: a model file cut while it is mapped takes the child only", async () => {
    const path = temporaryFile("cut.gguf", readFileSync(tinyStories));
    const handle = await openFile(nativeRuntime(), path);
    await ask(handle, prompt, { maxTokens: 2 });
    truncateSync(path, 4096);
    const error = await failure(run(handle));
    expect(error.code).toBe("run-crash");
    expect(error.details?.["signal"]).toBe("SIGBUS");
  });
});

describe("second wall: the header gate is switched off", () => {
  const rows = brokenGgufs.filter(({ kills }) => kills === true);
  it("has the rows that hang or kill native engines", () => {
    expect(new Set(rows.map(({ row }) => row))).toEqual(new Set([8, 9, 10, 18, 19, 35, 36]));
  });

  it.each(some(rows, 4))(
    "G$row, $what: the engine takes it, or its end is one typed error; the child is gone, the parent lives",
    async ({ row, what, make }) => {
      const runtime = nativeRuntime({ loadTimeoutMs: 2000 });
      await runtime.probe("cpu"); // the engine is there; only the file takes time now
      const path = temporaryFile(`row-${row}-${what.replace(/\W+/g, "-").slice(0, 30)}.gguf`, make());
      // one that was ended by the clock may not have come to the file yet, on a busy machine
      const nameOf = (error: unknown): string | undefined =>
        error instanceof SpellError && error.details?.["timeoutMs"] !== undefined ? "hung" : (error as { code?: string }).code;
      const outcome = await openFile(runtime, path).then(async (handle) => {
        const answer = await ask(handle, prompt).then(() => "answered", nameOf);
        await handle.dispose();
        return answer;
      }, nameOf);
      expect(["gguf-metadata", "run-crash", "run-nan", "device-memory", "answered", "hung"], String(outcome)).toContain(outcome);
      await gone(runtime.pids);
    },
  );

  it("E1: a T5 file, which aborts the engine, is run-crash, and the next model answers", async () => {
    const runtime = nativeRuntime();
    const error = await failure(openFile(runtime, temporaryFile("t5.gguf", writeGguf(tinyT5()))));
    expect(error.code).toBe("run-crash");
    const handle = await openFile(runtime, tinyStories);
    expect((await ask(handle, prompt)).end.completionTokens).toBe(24);
    await handle.dispose();
  });
});

describe("calls", () => {
  const runtime = nativeRuntime();
  const shares: number[] = [];
  let handle: GgufHandle;
  beforeAll(async () => {
    process.env["LLMSPELL_TEST_SECRET"] = "hunter2";
    runtime.prepare?.();
    runtime.prepare?.();
    delete process.env["LLMSPELL_TEST_SECRET"];
    handle = await openFile(runtime, tinyStories, { onProgress: (share) => shares.push(share) });
  });
  afterAll(() => handle.dispose());

  it("R7: an abort at any moment is answered, as a rule within 300 ms, and the next answer is that of a fresh model", async () => {
    const expected = (await ask(handle, prompt)).text;
    const waits: number[] = [];
    for (let i = 0; i < 25; i++) {
      const controller = new AbortController();
      let abortedAt = 0;
      const timer = setTimeout(() => {
        abortedAt = performance.now();
        controller.abort();
        controller.abort();
      }, i * 5);
      const outcome = await failure(run(handle, { ...endless, signal: controller.signal })).catch(() => undefined);
      clearTimeout(timer);
      if (abortedAt === 0) continue;
      expect(outcome?.code).toBe("run-aborted");
      waits.push(performance.now() - abortedAt);
      if (i % 8 === 0) expect((await ask(handle, prompt)).text).toBe(expected);
    }
    // the middle one: a busy machine may hold up some
    expect(waits.length).toBeGreaterThan(12);
    expect(waits.sort((a, b) => a - b)[waits.length >> 1]).toBeLessThan(300);
    expect((await ask(handle, prompt)).text).toBe(expected);
  });

  // Where this process is held up, the answer may be whole before the abort.
  it("R7: an abort in a long prompt is answered before the prompt is computed, and the model is free", { retry: 3 }, async () => {
    const long = `${prompt} there was a dog. `.repeat(45);
    await ask(handle, "The", { maxTokens: 1 }); // nothing of the long prompt is kept
    const controller = new AbortController();
    const answer = failure(ask(handle, long, { signal: controller.signal }));
    await sleep(5);
    controller.abort();
    expect((await answer).code).toBe("run-aborted");
    const { end } = await ask(handle, long, { maxTokens: 1 });
    expect(end.cachedTokens).toBeLessThan(end.promptTokens - 1);
    await ask(handle, prompt, { maxTokens: 1 });
  });

  it("R7: an abort while loading ends the child", async () => {
    const other = nativeRuntime();
    const controller = new AbortController();
    const opening = failure(openFile(other, tinyStories, { signal: controller.signal }));
    await vi.waitUntil(() => other.pids.length > 0, { timeout: soonMs, interval: 5 });
    controller.abort();
    expect((await opening).code).toBe("run-aborted");
    await gone(other.pids);
    expect((await failure(openFile(other, tinyStories, { signal: AbortSignal.abort() }))).code).toBe("run-aborted");
  });

  it("R9: dispose ends running and later calls with run-closed, twice does nothing, and the child is gone at once", async () => {
    const other = nativeRuntime();
    const closing = await openFile(other, tinyStories);
    const pieces = await begun(closing);
    const started = performance.now();
    await closing.dispose();
    expect(performance.now() - started).toBeLessThan(soonMs);
    expect(isRunning(other.pids[0]!)).toBe(false);
    expect((await failure(drain(pieces))).code).toBe("run-closed");
    expect((await failure(run(closing))).code).toBe("run-closed");
    await closing.dispose();
  });

  it("R14: an engine waits for its reader after 64 pieces, and loses nothing", async () => {
    const options = { maxTokens: 200, sampling: { temperature: 1, seed: 9, repeatPenalty: 1.3 } };
    const whole = await ask(handle, prompt, options);
    expect(whole.pieces.length).toBeGreaterThan(100);
    const iterator = handle.generate(prompt, generateOptions(options))[Symbol.asyncIterator]();
    const first = await iterator.next();
    await sleep(600);
    // Were the engine not waiting, all of the answer would have been computed by now; its own clock tells.
    let text = first.value?.type === "text" ? first.value.text : "";
    for (;;) {
      const { value } = await iterator.next();
      if (value?.type === "end") {
        expect(value.decodeMs).toBeGreaterThan(500);
        break;
      }
      text += value?.type === "text" ? value.text : "";
    }
    expect(text).toBe(whole.text);
  });

  it("R14: leaving the loop frees the model: it computes no further", async () => {
    const whole = await ask(handle, prompt, { maxTokens: 480, sampling: { temperature: 2, seed: 4 } });
    expect(whole.end.completionTokens).toBeGreaterThan(200);
    await ask(handle, "The", { maxTokens: 1 });
    for await (const _ of handle.generate(prompt, endless)) break;
    // What it had computed beyond the first piece would still be there.
    const { end } = await ask(handle, prompt + whole.text, { maxTokens: 1 });
    expect(end.cachedTokens).toBeLessThan(end.promptTokens - 100);
  });

  it("keeps the parent's event loop free while it computes", async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 5);
    const started = performance.now();
    await run(handle);
    clearInterval(timer);
    // on a busy machine each turn may be late
    expect(turns).toBeGreaterThan((performance.now() - started) / 100);
  });

  it("R23: forty calls and three loads leave no process and no pending work behind", async () => {
    const listeners = process.listenerCount("exit");
    for (let i = 0; i < 40; i++) await ask(handle, `${prompt} ${i}`, { maxTokens: 2 });
    const other = nativeRuntime();
    for (let i = 0; i < 3; i++) {
      const loaded = await openFile(other, tinyStories);
      await ask(loaded, prompt, { maxTokens: 2 });
      await loaded.dispose();
    }
    expect(other.pids.length).toBe(3);
    await gone(other.pids);
    expect(process.listenerCount("exit")).toBe(listeners);
  });

  it("reports progress that never falls and ends at 1", () => {
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  linux.it("hands the child a small environment: no secret of the parent's", () => {
    const environment = readFileSync(`/proc/${runtime.pids[0]}/environ`, "utf8");
    expect(environment).not.toContain("hunter2");
    const names = environment.split("\0").flatMap((line) => line.split("=")[0] || []);
    expect(names).toContain("LLMSPELL_HOME");
    const known =
      /^(LLMSPELL_HOME|PATH|TEMP|TMP|TMPDIR|HOME|LANG|LC_ALL|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|UV_THREADPOOL_SIZE|NODE_CHANNEL_\w+|(CUDA|HIP|ROCR|NVIDIA|VK|GGML|MESA)_\w+)$/;
    expect(names.filter((name) => !known.test(name))).toEqual([]);
  });

  it("takes a prepared child for the next model, however often it was asked to prepare", () => {
    expect(runtime.pids).toHaveLength(1);
  });
});

describe("wllama behind the same wall", () => {
  it("reads a model without a path from the parent, and answers", async () => {
    const pids: number[] = [];
    const runtime = childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine: "wllama", onSpawn: (pid) => pids.push(pid) });
    const source = blobSource("stories.gguf", new Blob([readFileSync(tinyStories)]));
    const reads: number[] = [];
    const watched: ByteSource = {
      ...source,
      read: (offset, length) => {
        reads.push(length);
        return source.read(offset, length);
      },
    };
    const handle = await runtime.open([watched], { ...openOptions, device: "wasm" });
    expect(reads.reduce((sum, length) => sum + length, 0)).toBeGreaterThanOrEqual(source.size);
    expect(Math.max(...reads)).toBeLessThan(source.size); // in pieces
    expect((await ask(handle, prompt)).text).toMatch(/^, there was/);
    const started = performance.now();
    await handle.dispose();
    expect(pids.filter(isRunning)).toEqual([]);
    // the engine alone keeps its process for 10–20 s here
    expect(performance.now() - started).toBeLessThan(soonMs);
  });

  it("a model that cannot be read any more while it loads is a typed error, and its child is gone", async () => {
    const pids: number[] = [];
    const runtime = childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine: "wllama", onSpawn: (pid) => pids.push(pid) });
    const bytes = readFileSync(tinyStories);
    const source: ByteSource = {
      name: "gone.gguf",
      size: bytes.length,
      read: async () => {
        throw new SpellError("gguf-truncated", "gone.gguf: it was removed");
      },
    };
    const error = await failure(runtime.open([source], { ...openOptions, device: "wasm" }));
    expect(["gguf-truncated", "gguf-metadata", "run-crash"]).toContain(error.code);
    await gone(pids);
  });
});

/** A program of its own, so that its end can be watched. */
posix.describe("the end of the program", () => {
  const children: ChildProcess[] = [];
  let library: Awaited<ReturnType<typeof fromSource>>;
  beforeAll(async () => {
    library = await fromSource(["node/engines/child-runtime.ts", "node/file-source.ts"]);
  });
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    library.remove();
  });

  /** @param body runs with `handle` and `options` in reach, after the child's id was printed; `before` runs first of all */
  async function start(body: string, before = ""): Promise<{ readonly program: ChildProcess; readonly pid: number }> {
    const source = `
      ${before}
      const { childRuntime, openFileSource } = await import(${JSON.stringify(library.href)});
      let pid;
      const runtime = childRuntime({ engine: "node-llama-cpp", onSpawn: (id) => { pid = id; } });
      const handle = await runtime.open([await openFileSource(${JSON.stringify(tinyStories)})], ${JSON.stringify(openOptions)});
      const options = ${JSON.stringify(endless)};
      console.log(pid);
      ${body}`;
    const program = spawn(process.execPath, ["--input-type=module", "-e", source], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    children.push(program);
    const [line] = (await once(program.stdout!, "data")) as [Buffer];
    return { program, pid: Number(line.toString()) };
  }

  it("R24: comes when the program forgets to dispose, and takes the child along", async () => {
    const { program, pid } = await start(`for await (const _ of handle.generate("Once", { ...options, maxTokens: 5 }));`);
    const started = performance.now();
    const [code] = (await once(program, "exit")) as [number];
    expect(code).toBe(0);
    expect(performance.now() - started).toBeLessThan(soonMs);
    await gone([pid]);
  });

  const forever = `for (;;) for await (const _ of handle.generate("Once upon a time", options));`;

  it.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const)("R24: by %s leaves no child", async (signal) => {
    const { program, pid } = await start(forever);
    expect(isRunning(pid)).toBe(true);
    program.kill(signal);
    await gone([pid]);
  });

  it("R24: a child that hears nothing any more notices by itself that its parent is gone", async () => {
    // Stopped, it cannot hear the channel close; when it goes on, its parent has another number.
    const { program, pid } = await start(forever);
    process.kill(pid, "SIGSTOP");
    program.kill("SIGKILL");
    await once(program, "exit");
    process.kill(pid, "SIGCONT");
    await gone([pid]);
  });

  it("R24: Ctrl-C in the terminal does not reach the child before its parent has decided", async () => {
    const { program, pid } = await start(forever, `process.on("SIGINT", () => console.log("kept on"));`);
    // what a terminal does: the whole group gets it; and directly, as Windows does
    program.kill("SIGINT");
    process.kill(pid, "SIGINT");
    await once(program.stdout!, "data");
    await sleep(200);
    expect(isRunning(pid)).toBe(true);
    program.kill("SIGKILL");
    await gone([pid]);
  });
});
