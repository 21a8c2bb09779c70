/** The door of a script's process: lines over two pipes. Reading blocks, so nothing else is needed to wait. */
import { readFileSync, readSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Channel } from "../../core/scripts/guest/channel.ts";
import { type GuestMaker, runGuest } from "../../core/scripts/guest/run.ts";
import { once } from "../../core/values.ts";
import { watchParent } from "../watchdog.ts";

const newline = 10;
const chunkBytes = 65_536;
const parent = process.ppid;

/** @param file of the engine, in dist/scripts; the argument of this process is the most memory in bytes */
export async function serveScripts(make: GuestMaker, file: string): Promise<void> {
  // Ctrl-C in a terminal is the parent's matter.
  process.on("SIGINT", () => undefined);
  const engine = readFileSync(fileURLToPath(new URL(`../../scripts/${file}`, import.meta.url)));
  await runGuest(make, { engine, memoryBytes: Number(process.argv[2]) }, pipes());
}

function pipes(): Channel {
  const chunk = Buffer.alloc(chunkBytes);
  const pieces: Buffer[] = [];
  let held: Buffer = Buffer.alloc(0);
  // What a thread costs is spent with the first script, and a script that ends at once takes most of it along.
  const watched = once(() => watchParent(parent));
  return {
    suspends: false,
    post(text) {
      const bytes = Buffer.from(`${text}\n`);
      for (let at = 0; at < bytes.length; ) at += whenReady(() => writeSync(1, bytes, at));
    },
    receive() {
      for (;;) {
        const end = held.indexOf(newline);
        if (end >= 0) {
          const text = Buffer.concat([...pieces, held.subarray(0, end)]).toString();
          pieces.length = 0;
          held = held.subarray(end + 1);
          if (text.startsWith('{"t":"run"')) watched();
          return text;
        }
        if (held.length > 0) pieces.push(held);
        const size = whenReady(() => readSync(0, chunk));
        if (size === 0) process.kill(process.pid, "SIGKILL");
        held = Buffer.from(chunk.subarray(0, size));
      }
    },
  };
}

/** A cell to sleep on. */
const cell = new Int32Array(new SharedArrayBuffer(4));

/** A pipe that does not block answers EAGAIN while it is full or empty. */
function whenReady(work: () => number): number {
  for (;;) {
    try {
      return work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE" || code === "EOF") return process.kill(process.pid, "SIGKILL") ? 0 : 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(cell, 0, 0, 1);
    }
  }
}
