/**
 * Starts the processes of scripts. A file of its own, with little behind it: the command line asks for a script's process before it reads the rest
 * of the program, and host.ts takes it over.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { ScriptEngine } from "../../core/spec/scripts.ts";
import { builtFile } from "../built-file.ts";
import { childFolder } from "../child-folder.ts";
import { packageArguments } from "../plug-n-play.ts";
import { whenExiting } from "../when-exiting.ts";

/** MiB for texts on their way; what a script holds is in WebAssembly's memory. */
const heapMiB = 96;

/** V8 would optimise the engines' large functions at once, for 50 to 300 ms of processor time that a short script never gains back. */
const isV8Ours = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
const flags: readonly string[] = isV8Ours ? ["--wasm-tiering-budget=100000000", `--max-old-space-size=${heapMiB}`] : [];

/** Default of both engines: what one that was prepared has. QuickJS is bound to it from its start; Lua takes its limit with the first message. */
const usualMemoryBytes = 67_108_864;

export interface ScriptChild {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** resolves with the reason when it is gone, or never came */
  readonly ended: Promise<string>;
  kill(): void;
  /** Whether this process stays for it. */
  hold(keeps: boolean): void;
}

/** Processes that were started ahead, with the usual memory. They end with this one. */
const prepared = new Map<ScriptEngine, ScriptChild>();

/** Starts a process while its configuration is still read; the next script takes it if it fits. */
export function prepareScript(engine: ScriptEngine): void {
  if (prepared.has(engine)) return;
  const child = startChild(engine, usualMemoryBytes);
  child.hold(false);
  prepared.set(engine, child);
}

/** The one that was started ahead, or another. */
export function takeChild(engine: ScriptEngine, memoryBytes: number): ScriptChild {
  const ready = prepared.get(engine);
  prepared.delete(engine);
  if (ready === undefined) return startChild(engine, memoryBytes);
  if (engine === "lua" || memoryBytes === usualMemoryBytes) {
    ready.hold(true);
    return ready;
  }
  ready.kill();
  return startChild(engine, memoryBytes);
}

function startChild(engine: ScriptEngine, memoryBytes: number): ScriptChild {
  // the zone of times is the person's, and no secret
  const zone = process.env["TZ"];
  const child = spawn(process.execPath, [...packageArguments(), ...flags, builtFile(`scripts/${engine}-child`), String(memoryBytes)], {
    env: zone === undefined ? {} : { TZ: zone },
    cwd: childFolder(),
    stdio: ["pipe", "pipe", "ignore"],
    // Not detached: Linux schedules each session by itself, and a busy machine then answers calls several times later. Ctrl-C the child ignores.
    windowsHide: true,
  });
  const kill = (): void => void child.kill("SIGKILL");
  const forget = whenExiting(kill);
  child.stdin.on("error", () => undefined); // `exit` says so
  const ended = new Promise<string>((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  void ended.then(forget);
  return {
    process: child,
    ended,
    kill,
    hold(keeps) {
      for (const end of [child, child.stdin, child.stdout] as { ref?(): void; unref?(): void }[]) end[keeps ? "ref" : "unref"]?.();
    },
  };
}
