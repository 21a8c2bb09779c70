/** Ctrl-C and its relatives. The first one asks the running work to stop, the second one ends the process. */
import { SpellError } from "../../core/errors.ts";

export interface Interrupt {
  /** Aborted by the first signal that no handler took. */
  readonly signal: AbortSignal;
  /** Rejects a moment after `signal`, for work that does not stop by itself. */
  readonly deadline: Promise<never>;
  /** As if Ctrl-C had been pressed: for a terminal in raw mode, where it arrives as a key. */
  press(): void;
  /** Gives work more time to stop: a download writes down what it has. */
  allow(ms: number): void;
  /** While set, Ctrl-C goes to the handler; it answers whether it could use it. Other signals still end the run. */
  take(handler: (() => boolean) | undefined): void;
}

/** Generation must have stopped within 300 ms; the rest is for printing and ending children. */
const patienceMs = 220;

/** @param exit ends the process at once */
export function createInterrupt(exit: (status: number) => void): Interrupt {
  const controller = new AbortController();
  let handler: (() => boolean) | undefined;
  let patience = patienceMs;
  let expire: (error: SpellError) => void = () => undefined;
  const deadline = new Promise<never>((_, reject) => {
    expire = reject;
  });
  deadline.catch(() => undefined); // a run that ends in time does not wait for it

  const stop = (): void => {
    if (controller.signal.aborted) {
      exit(130);
      return;
    }
    controller.abort();
    setTimeout(() => expire(new SpellError("run-aborted", "stopped")), patience);
  };
  const press = (): void => {
    if (handler?.() !== true) stop();
  };
  process.on("SIGINT", press);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
  return {
    signal: controller.signal,
    deadline,
    press,
    allow(ms) {
      patience = ms;
    },
    take(taker) {
      handler = taker;
    },
  };
}

/** Rejects once the signal is aborted; may be left alone. */
export function whenAborted(signal: AbortSignal, message: string): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new SpellError("run-aborted", message));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => undefined);
  return aborted;
}
