/** A few at a time, usually one, in order, with a bounded line: the queue in front of a loaded model, or of all models of a program. */
import { abortedError, SpellError } from "../errors.ts";

export interface Turns {
  /**
   * Waits for one's turn.
   * @returns a function that ends the turn; calling it twice does nothing
   * @throws SpellError run-busy (line full), run-aborted, run-closed
   */
  take(signal?: AbortSignal): Promise<() => void>;
  /** Everybody in the line, and everybody later, gets run-closed. */
  close(): void;
}

interface Waiting {
  readonly start: () => void;
  readonly fail: (error: SpellError) => void;
}

/**
 * @param maxWaiting callers in the line besides those whose turn it is
 * @param atOnce turns at one time
 */
export function createTurns(maxWaiting: number, atOnce = 1): Turns {
  const line: Waiting[] = [];
  let running = 0;
  let closed = false;

  const endTurn = (): (() => void) => {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const next = line.shift();
      if (next === undefined) running -= 1;
      else next.start();
    };
  };

  return {
    async take(signal) {
      if (closed) throw closedError();
      if (signal?.aborted === true) throw abortedError();
      if (running < atOnce) {
        running += 1;
        return endTurn();
      }
      if (line.length >= maxWaiting) {
        throw new SpellError("run-busy", `${maxWaiting} generations are waiting for this model already`, {
          details: { waiting: line.length, limit: maxWaiting },
        });
      }
      // A signal of its own for each: hosts take more than ten listeners on one for a leak, and the line is longer.
      const leaving = signal === undefined ? undefined : AbortSignal.any([signal]);
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          line.splice(line.indexOf(entry), 1);
          reject(abortedError());
        };
        const entry: Waiting = {
          start: () => {
            leaving?.removeEventListener("abort", onAbort);
            resolve(endTurn());
          },
          fail: (error) => {
            leaving?.removeEventListener("abort", onAbort);
            reject(error);
          },
        };
        leaving?.addEventListener("abort", onAbort, { once: true });
        line.push(entry);
      });
    },
    close() {
      closed = true;
      for (const entry of line.splice(0)) entry.fail(closedError());
    },
  };
}

export function closedError(): SpellError {
  return new SpellError("run-closed", "the model was disposed");
}
