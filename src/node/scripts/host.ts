/**
 * Scripts in child processes: one for each run, ended by SIGKILL whatever it does. What one allocation beyond every limit would take with it is then
 * the child alone. Its environment is empty, its heap small, and two pipes are all it has.
 */
import { spawn } from "node:child_process";
import { limits } from "../../core/limits.ts";
import type { ScriptRuntime, ScriptWire } from "../../core/platform.ts";
import type { ScriptEngine } from "../../core/spec/scripts.ts";
import { deferred } from "../../core/values.ts";
import { builtFile } from "../built-file.ts";
import { childFolder } from "../home.ts";
import { packageArguments } from "../plug-n-play.ts";

/** MiB for texts on their way; what a script holds is in WebAssembly's memory. */
const heapMiB = 96;

/** V8 would optimise the engines' large functions at once, for 50 to 300 ms of processor time that a short script never gains back. */
const isV8Ours = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
const flags: readonly string[] = isV8Ours ? ["--wasm-tiering-budget=100000000", `--max-old-space-size=${heapMiB}`] : [];

/** Default of both engines: what one that was prepared has. QuickJS is bound to it from its start; Lua takes its limit with the first message. */
const usualMemoryBytes = 67_108_864;

interface ChildWire extends ScriptWire {
  /** Whether this process stays for it. */
  hold(keeps: boolean): void;
}

/** Processes that were started ahead, with the usual memory. They end with this one. */
const prepared = new Map<ScriptEngine, ChildWire>();

/** Starts a process while its configuration is still read; the next script takes it if it fits. */
export function prepareScript(engine: ScriptEngine): void {
  if (prepared.has(engine)) return;
  const wire = startChild(engine, usualMemoryBytes);
  wire.hold(false);
  prepared.set(engine, wire);
}

export const childScripts: ScriptRuntime = {
  prepare: prepareScript,
  async start(engine, memoryBytes) {
    const ready = prepared.get(engine);
    prepared.delete(engine);
    if (ready !== undefined && (engine === "lua" || memoryBytes === usualMemoryBytes)) {
      ready.hold(true);
      return ready;
    }
    void ready?.kill();
    return startChild(engine, memoryBytes);
  },
};

function startChild(engine: ScriptEngine, memoryBytes: number): ChildWire {
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
  process.on("exit", kill);
  const exited = deferred();
  let hear = { message: (_text: string): void => undefined, death: (_reason: string): void => undefined };
  let isKilled = false;
  let early: string | undefined;
  const end = (reason: string): void => {
    process.off("exit", kill);
    early = reason;
    if (!isKilled) hear.death(reason);
    exited.resolve();
  };
  child.stdin.on("error", () => undefined); // `exit` says so
  child.once("error", ({ message }) => end(message));
  child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));

  let held = "";
  const take = (piece: string): void => {
    const lines = (held + piece).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) hear.message(line);
    // no message of a guest is as long
    if (held.length > 2 * limits.scriptMessageBytes) kill();
  };
  return {
    post: (text) => void (child.stdin.writable && child.stdin.write(`${text}\n`)),
    listen(message, death) {
      hear = { message, death };
      child.stdout.setEncoding("utf8").on("data", take);
      if (early !== undefined) death(early);
    },
    hold(keeps) {
      for (const end of [child, child.stdin, child.stdout] as { ref?(): void; unref?(): void }[]) end[keeps ? "ref" : "unref"]?.();
    },
    async kill() {
      isKilled = true;
      kill();
      if (child.pid !== undefined) await exited.promise;
    },
  };
}
