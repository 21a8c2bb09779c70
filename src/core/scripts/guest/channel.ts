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
  start(timeoutMs: number, asks?: boolean): void;
  flush(): void;
  /** Asked from time to time by the engine. @returns why the script has to end */
  overtime(): string | undefined;
  /** Whether a function is late that had a time of its own. Then its time is forgotten. */
  forgive(): boolean;
}

/** What Lua's prelude looks for in an error's text. */
const timeMark = "!time: the script computed for too long";
export const stopMark = "!stop: the script was stopped";
/** A function of the script was late, not the script: it goes on where its language lets it. */
const lateMark = "!late: the function computed for longer than it may";
/** Milliseconds between two questions whether a script may go on. */
const askEveryMs = 100;

export function measured(inner: Channel): MeasuredChannel {
  let received = 0;
  let begunAt = 0;
  let waitedMs = 0;
  let limitMs = Number.POSITIVE_INFINITY;
  let printed: string[] = [];
  let printedSize = 0;
  let printedAt = 0;
  /** when the host was last asked; undefined: it is not */
  let askedAt: number | undefined;
  let mayGoOn = true;
  /** Milliseconds of computing at which the functions that run within each other are late; an inner one is never later than its outer one. */
  let due: number[] = [];
  /** What came while the host was asked. */
  const early: string[] = [];

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
  /** An ordinary call, in the middle of the computing. */
  const ask = (): void => {
    flush();
    send(`{"t":"call","id":"go","f":"go.on","a":[${computedMs()}]}`);
    for (;;) {
      const from = performance.now();
      const text = arrived(inner.receive() as string, from);
      if (text.startsWith('{"t":"ret","id":"go"')) {
        mayGoOn = text.endsWith("true}");
        askedAt = performance.now();
        return;
      }
      early.push(text);
    }
  };
  return {
    suspends: inner.suspends,
    flush,
    post(text) {
      if (text.startsWith("<")) {
        if (text === "<") due.pop();
        else due.push(Math.min(due.at(-1) ?? Number.POSITIVE_INFINITY, performance.now() - begunAt - waitedMs + Number(text.slice(1))));
        return;
      }
      // printed text is cut where it is beyond every limit; calls look at their own length before
      if (text.length > limits.scriptMessageBytes && !text.startsWith(">")) throw new RangeError("message too large");
      if (!text.startsWith(">")) {
        flush();
        send(text);
        return;
      }
      if (printedSize === 0) printedAt = performance.now();
      printed.push(text.slice(1, limits.scriptMessageBytes));
      printedSize += text.length;
      if (printedSize > limits.scriptOutputPiece) flush();
    },
    receive() {
      const kept = early.shift();
      if (kept !== undefined) return kept;
      flush();
      const from = performance.now();
      inner.post(`idle ${received} ${computedMs()}`);
      const got = inner.receive();
      return typeof got === "string" ? arrived(got, from) : got.then((text) => arrived(text, from));
    },
    start(timeoutMs, asks = false) {
      mayGoOn = true;
      due = [];
      askedAt = asks && !inner.suspends ? performance.now() : undefined;
      begunAt = performance.now();
      waitedMs = 0;
      limitMs = timeoutMs;
    },
    overtime() {
      const at = performance.now();
      if (printedSize > 0 && at - printedAt > limits.scriptOutputMs) flush();
      const computed = at - begunAt - waitedMs;
      if (computed > limitMs) return timeMark;
      if (mayGoOn && askedAt !== undefined && at - askedAt > askEveryMs) ask();
      if (!mayGoOn) return stopMark;
      return computed > (due.at(-1) ?? limitMs) ? lateMark : undefined;
    },
    forgive() {
      const isLate = this.overtime() === lateMark;
      if (isLate) due = [];
      return isLate;
    },
  };
}
