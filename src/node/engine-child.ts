/**
 * Child-process entry: holds one engine and one model, and answers its parent (engine-host.ts). Ended from outside, by SIGKILL.
 * It never outlives its parent, and signals of a terminal do not concern it.
 */
import module from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { abortedError, SpellError, toSpellError } from "../core/errors.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { Device, DeviceProbe, ModelHandle } from "../core/spec/runtime.ts";
import { beatMs, type EngineFile, type EngineName, maxUnreadPieces, type ToChild, type ToParent } from "./engine-protocol.ts";
import { homeFolder } from "./home.ts";

/** Either kind of runtime; its options come from the parent, which has checked them. */
interface Engine {
  prepare?(): void;
  /** Looks at a graphics card; loads no model. */
  probe(device: Device): Promise<DeviceProbe>;
  open(files: readonly ByteSource[], options: never): Promise<ModelHandle<never>>;
}

interface Call {
  readonly abort: AbortController;
  credit: number;
  wake: () => void;
}

interface Read {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: SpellError) => void;
}

const parent = process.ppid;
process.on("disconnect", die);
// The child is in a group of its own where there are such; elsewhere Ctrl-C reaches it, and its parent decides.
process.on("SIGINT", () => undefined);
setInterval(() => send({ type: "beat" }), beatMs).unref();

// Compiled code of the engine's modules, kept from run to run where Node can do that (22.10). Trouble with it is none of ours.
const compileCache = module as { enableCompileCache?: (folder: string) => unknown; flushCompileCache?: () => void };
if (compileCache.flushCompileCache !== undefined) compileCache.enableCompileCache?.(join(homeFolder(), "compile-cache"));

const engine = await createEngine(process.argv[2] as EngineName);
engine.prepare?.();

const calls = new Map<number, Call>();
const reads = new Map<number, Read>();
let lastRead = 0;
let turn: Promise<void> = Promise.resolve();
let isWatched = false;
let handle: ModelHandle<never> | undefined;
process.on("message", (message) => receive(message as ToChild));

async function createEngine(name: EngineName): Promise<Engine> {
  switch (name) {
    case "node-llama-cpp":
      return (await import("./llama-engine.ts")).createLlamaEngine();
    case "wllama":
      return (await import("./wllama-engine.ts")).createWllamaEngine();
    case "onnxruntime-node":
    case "onnxruntime-web":
      return (await import("./t5-engine.ts")).createT5Engine(name);
    default:
      name satisfies never;
      throw new Error(`no engine is called ${String(name)}`);
  }
}

function receive(message: ToChild): void {
  switch (message.type) {
    case "open":
      startWatchdog();
      void open(message);
      return;
    case "probe":
      startWatchdog();
      void probe(message.device);
      return;
    case "generate":
      startGeneration(message);
      return;
    case "credit": {
      const call = calls.get(message.call);
      if (call === undefined) return;
      call.credit += message.pieces;
      call.wake();
      return;
    }
    case "cancel": {
      const call = calls.get(message.call);
      call?.abort.abort();
      call?.wake();
      return;
    }
    case "bytes":
    case "no-bytes": {
      const read = reads.get(message.read);
      reads.delete(message.read);
      if (message.type === "bytes") read?.resolve(message.bytes);
      else read?.reject(SpellError.fromJSON(message.error));
      return;
    }
    default:
      message satisfies never;
  }
}

async function probe(device: Device): Promise<void> {
  const answer = await engine
    .probe(device)
    .catch((error: unknown): DeviceProbe => ({ ok: false, reason: "driver-missing", hint: toSpellError(error).message }));
  send({ type: "probed", probe: answer });
}

async function open({ files, options }: Extract<ToChild, { type: "open" }>): Promise<void> {
  try {
    let last = -1;
    const onProgress = (share: number): void => {
      // a hundred messages are enough for any bar
      if (share < 1 && share - last < 0.01) return;
      last = share;
      send({ type: "progress", share });
    };
    handle = await engine.open(files.map(toSource), { ...options, onProgress } as never);
    const { device, contextLength, unsupported, notes } = handle;
    const answersMany = handle.generateMany !== undefined;
    send({ type: "opened", handle: { device, contextLength, unsupported, notes, answersMany } });
    // Node writes it at exit; this process never exits, it is killed.
    setImmediate(() => compileCache.flushCompileCache?.());
  } catch (error) {
    send({ type: "failed", call: 0, error: toSpellError(error, "run-crash").toJSON() });
  }
}

/** One at a time, in order: a call that was cancelled may still be at its last step when the next one arrives. */
function startGeneration(message: Extract<ToChild, { type: "generate" }>): void {
  const call: Call = { abort: new AbortController(), credit: maxUnreadPieces, wake: () => undefined };
  calls.set(message.call, call);
  turn = turn.then(() => generate(message, call)).finally(() => calls.delete(message.call));
}

async function generate({ call: id, prompt, options }: Extract<ToChild, { type: "generate" }>, call: Call): Promise<void> {
  const { signal } = call.abort;
  try {
    if (signal.aborted) throw abortedError();
    if (handle === undefined) throw new SpellError("run-closed", "no model is open");
    const all = { ...options, signal } as never;
    const pieces = typeof prompt === "string" ? handle.generate(prompt, all) : handle.generateMany?.(prompt, all);
    if (pieces === undefined) throw new SpellError("internal-error", "this engine answers one prompt at a time");
    for await (const piece of pieces) {
      while (call.credit <= 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          call.wake = resolve;
        });
      }
      if (signal.aborted) throw abortedError();
      call.credit -= 1;
      send({ type: "piece", call: id, piece });
    }
  } catch (error) {
    send({ type: "failed", call: id, error: toSpellError(error, "run-crash").toJSON() });
  }
}

/** A file without a path is read through the parent. */
function toSource(known: EngineFile, file: number): ByteSource {
  return {
    ...known,
    read(offset, length, signal) {
      if (signal?.aborted === true) return Promise.reject(abortedError());
      return new Promise((resolve, reject) => {
        lastRead += 1;
        reads.set(lastRead, { resolve, reject });
        send({ type: "read", read: lastRead, file, offset, length });
      });
    },
  };
}

function send(message: ToParent): void {
  // The callback takes the error of a parent that is gone; `disconnect` follows and ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/**
 * A hostile file may keep the main thread busy for ever, where no `disconnect` is heard. A thread of its own looks whether the parent lives:
 * an orphan gets another parent (or, on Windows, keeps a number that nobody has).
 */
function startWatchdog(): void {
  if (isWatched) return;
  isWatched = true;
  const code = `
    const { workerData: parent } = require("node:worker_threads");
    setInterval(() => {
      let lives = process.ppid === parent;
      try { process.kill(parent, 0); } catch (error) { if (error.code === "ESRCH") lives = false; }
      if (!lives) process.kill(process.pid, "SIGKILL");
    }, 500);`;
  new Worker(code, { eval: true, workerData: parent, resourceLimits: { maxOldGenerationSizeMb: 8 } }).unref();
}

/** Not exit(): that would wait for native work that is under way. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
}
