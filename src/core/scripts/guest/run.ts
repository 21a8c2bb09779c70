/** What runs beside an engine, in a child process or a worker: settings first, then one input after the other. */
import { messageOf } from "../../errors.ts";
import type { GuestSettings, HostMessage, ScriptInput } from "../protocol.ts";
import { type Channel, type MeasuredChannel, measured } from "./channel.ts";

export interface GuestParts {
  readonly module: WebAssembly.Module;
  /** bytes that the engine starts with as its most; a guess where the settings say it */
  readonly memoryBytes: number;
  readonly channel: MeasuredChannel;
}

export interface StartOptions extends Pick<GuestParts, "memoryBytes"> {
  /** a compiled file of dist/scripts, or its bytes */
  readonly engine: WebAssembly.Module | Uint8Array<ArrayBuffer>;
}

/** An engine with our prelude. */
export interface Guest {
  /** Makes the globals. Once, before the first input. */
  configure(settings: GuestSettings): void | Promise<void>;
  /** @returns the last message of this input: end, fail or more */
  run(input: ScriptInput): string | Promise<string>;
}

export type GuestMaker = (parts: GuestParts) => Guest | Promise<Guest>;

/** Never returns but by an error of the channel. The engine starts before the host has said a word. */
export async function runGuest(make: GuestMaker, { engine, memoryBytes }: StartOptions, inner: Channel): Promise<never> {
  const channel = measured(inner);
  const module = engine instanceof WebAssembly.Module ? engine : new WebAssembly.Module(engine);
  const guest = await make({ module, memoryBytes, channel });
  let timeoutMs = 0;
  for (;;) {
    const message = JSON.parse(await channel.receive()) as HostMessage;
    if (message.t === "init") {
      timeoutMs = message.timeoutMs;
      await guest.configure(message);
    } else if (message.t === "run") {
      channel.start(timeoutMs, message.asks);
      let last: string;
      try {
        last = await guest.run(message);
      } catch (error) {
        last = failure(error);
      }
      channel.flush();
      inner.post(last);
    }
  }
}

/** What went wrong below the script: the engine is thrown away after it. */
function failure(error: unknown): string {
  const message = messageOf(error).slice(0, 300);
  const code = /no memory|not enough memory|out of memory/.test(message)
    ? "script-memory"
    : error instanceof RangeError
      ? "script-stack"
      : "script-error";
  const isTrap = error instanceof WebAssembly.RuntimeError;
  return JSON.stringify({ t: "fail", e: { code, message: isTrap ? `the engine failed: ${message}` : message } });
}

/** The source as an engine takes it: without byte order mark and `#!` line, whose line end stays. */
export function plainSource(source: string): string {
  return source.replace(/^\uFEFF/, "").replace(/^#![^\n]*/, "");
}
