/**
 * Isolate over a child process with a small heap. A worker thread does not contain memory: when one allocation passes its limit,
 * Node 20 ends the whole process (seen with a template's `range(10**9)`); a child process ends alone.
 */
import { fork } from "node:child_process";
import type { Isolate } from "../core/platform.ts";
import { createWorkerIsolate } from "../core/text/worker-isolate.ts";
import { builtFile } from "./built-file.ts";
import { childFolder } from "./child-folder.ts";
import { packageArguments } from "./plug-n-play.ts";
import { whenExiting } from "./when-exiting.ts";

/** A template needs some kilobytes; this limit ends a memory bomb before the host is short of memory. */
const heapMiB = 96;

export function processIsolate(): Isolate {
  return createWorkerIsolate(({ onMessage, onDeath }) => {
    const child = fork(builtFile("isolate-child"), {
      execArgv: [...packageArguments(), `--max-old-space-size=${heapMiB}`, "--max-semi-space-size=8"],
      env: {},
      cwd: childFolder(),
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      // Ctrl-C in a terminal reaches the whole process group; this child ends with its parent's channel instead.
      detached: true,
    });
    const kill = (): void => void child.kill("SIGKILL");
    let over = false;
    const die = (reason: string, outOfMemory: boolean): void => {
      if (over) return;
      over = true;
      forget();
      onDeath(reason, outOfMemory);
    };
    const forget = whenExiting(kill);
    child.on("message", onMessage);
    child.on("error", (error) => die(error.message, false));
    // V8 ends a process that is out of memory by SIGABRT; without signals by exit code 134.
    child.on("exit", (code, signal) => die(signal ?? `exit code ${code}`, signal === "SIGABRT" || code === 134));
    const hold = (busy: boolean): void => {
      for (const each of [child, child.channel]) each?.[busy ? "ref" : "unref"]();
    };
    hold(false);
    return { post: (message) => child.send(message as object, () => undefined), terminate: kill, hold };
  });
}
