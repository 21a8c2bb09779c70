/** The door of a script's worker: messages of the page, waited for by suspending the engine's stack, or in shared memory. */
import type { Channel } from "../../core/scripts/guest/channel.ts";
import { type GuestMaker, runGuest } from "../../core/scripts/guest/run.ts";
import type { WorkerStart } from "./host.ts";
import { ringReader } from "./ring.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;

export function serveScripts(make: GuestMaker): void {
  scope.onmessage = ({ data: { ring, ...start } }: MessageEvent<WorkerStart>) => {
    // An error here has no one to hear it but the page, which gets it as the worker's.
    void runGuest(make, start, ring === undefined ? suspended() : blocked(ring)).catch((error: unknown) => reportError(error));
  };
}

const post = (text: string): void => scope.postMessage(text);

function blocked(ring: SharedArrayBuffer): Channel {
  return { suspends: false, post, receive: ringReader(ring) };
}

function suspended(): Channel {
  const inbox: string[] = [];
  let wake: ((text: string) => void) | undefined;
  scope.onmessage = ({ data }: MessageEvent<string>) => {
    if (wake === undefined) {
      inbox.push(data);
      return;
    }
    const waiting = wake;
    wake = undefined;
    waiting(data);
  };
  return {
    suspends: true,
    post,
    receive: () =>
      inbox.shift() ??
      new Promise((resolve) => {
        wake = resolve;
      }),
  };
}
