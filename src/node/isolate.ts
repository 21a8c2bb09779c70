/**
 * Isolate over a child process with a small heap. A worker thread is no wall against memory: where one allocation goes past its
 * limit, Node 20 ends the whole process (seen with a template's `range(10**9)`); a child takes only itself down.
 */
import { fork } from "node:child_process";
import type { Isolate } from "../core/platform.ts";
import { createWorkerIsolate } from "../core/text/worker-isolate.ts";
import { builtFile } from "./built-file.ts";

/** A template needs some kilobytes; this much ends a memory bomb long before the host feels it. */
const heapMiB = 96;

export function processIsolate(): Isolate {
  return createWorkerIsolate(({ onMessage, onDeath }) => {
    const child = fork(builtFile("isolate-child"), {
      execArgv: [`--max-old-space-size=${heapMiB}`, "--max-semi-space-size=8"],
      env: {},
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      // Ctrl-C in a terminal goes to the whole group; this child ends with its parent's channel instead.
      detached: true,
    });
    let over = false;
    const die = (reason: string, outOfMemory: boolean): void => {
      if (over) return;
      over = true;
      process.off("exit", kill);
      onDeath(reason, outOfMemory);
    };
    const kill = (): void => void child.kill("SIGKILL");
    process.on("exit", kill);
    child.on("message", onMessage);
    child.on("error", (error) => die(error.message, false));
    // V8 ends a process that is out of memory by SIGABRT (by an exit code of 134 where there are no signals).
    child.on("exit", (code, signal) => die(signal ?? `exit code ${code}`, signal === "SIGABRT" || code === 134));
    const hold = (busy: boolean): void => {
      if (busy) {
        child.ref();
        child.channel?.ref();
      } else {
        child.unref();
        child.channel?.unref();
      }
    };
    hold(false);
    return {
      post: (message) => child.send(message as object, () => undefined),
      terminate: kill,
      hold,
    };
  });
}
