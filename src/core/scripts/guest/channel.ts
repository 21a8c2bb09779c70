/** The door of a guest, and its clock: two functions of text. Engines do not know how `receive` waits. */
import { limits } from "../../limits.ts";

export interface Channel {
  /** `receive` returns promises: the engine's stack is suspended while it waits. */
  readonly suspends: boolean;
  post(text: string): void;
  receive(): string | Promise<string>;
}

/** A channel that counts, gathers what is printed, and knows how long the script itself has computed. */
export interface MeasuredChannel extends Channel {
  /** A new input begins. */
  start(timeoutMs: number): void;
  flush(): void;
  /** Asked from time to time by the engine. @returns why the script has to end */
  overtime(): string | undefined;
}

/** What Lua's prelude looks for in an error's text. */
const timeMark = "!time: the script computed for too long";

export function measured(inner: Channel): MeasuredChannel {
  let received = 0;
  let begunAt = 0;
  let waitedMs = 0;
  let limitMs = Number.POSITIVE_INFINITY;
  let printed: string[] = [];
  let printedSize = 0;
  let printedAt = 0;

  const computedMs = (): number => Math.max(0, Math.round(performance.now() - begunAt - waitedMs));
  const send = (text: string): void => {
    const from = performance.now();
    inner.post(text);
    waitedMs += performance.now() - from;
  };
  const flush = (): void => {
    if (printedSize === 0) return;
    const s = printed.join("");
    printed = [];
    printedSize = 0;
    send(JSON.stringify({ t: "out", s, c: computedMs() }));
  };
  const arrived = (text: string, from: number): string => {
    received += 1;
    waitedMs += performance.now() - from;
    return text;
  };
  return {
    suspends: inner.suspends,
    flush,
    post(text) {
      if (text.length > limits.scriptMessageBytes) throw new RangeError("message too large");
      if (!text.startsWith(">")) {
        flush();
        send(text);
        return;
      }
      if (printedSize === 0) printedAt = performance.now();
      printed.push(text.slice(1));
      printedSize += text.length;
      if (printedSize > limits.scriptOutputPiece) flush();
    },
    receive() {
      flush();
      const from = performance.now();
      inner.post(`idle ${received} ${computedMs()}`);
      const got = inner.receive();
      return typeof got === "string" ? arrived(got, from) : got.then((text) => arrived(text, from));
    },
    start(timeoutMs) {
      begunAt = performance.now();
      waitedMs = 0;
      limitMs = timeoutMs;
    },
    overtime() {
      const at = performance.now();
      if (printedSize > 0 && at - printedAt > limits.scriptOutputMs) flush();
      return at - begunAt - waitedMs > limitMs ? timeMark : undefined;
    },
  };
}
