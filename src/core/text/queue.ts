/** The one queue in front of the engines of a provider: in order, a few at a time, one at a time for each model, with a bounded line. */
import { abortedError, SpellError } from "../errors.ts";
import { deferred } from "../values.ts";

export interface Queue {
  /**
   * Waits for a turn.
   * @param model what the turn is for
   * @throws SpellError run-busy (line full), run-aborted
   */
  take(model: object, signal: AbortSignal | undefined): Promise<Turn>;
}

export interface Turn {
  /** Calling it twice does nothing. */
  end(): void;
  /** Resolves once a caller waits in the line. */
  readonly wanted: Promise<void>;
}

export interface QueueLimits {
  /** turns at one time */
  readonly maxConcurrent: number;
  /** turns at one time on one model */
  readonly maxPerModel: number;
  /** callers in the line */
  readonly maxWaiting: number;
}

interface Waiting {
  readonly model: object;
  readonly start: () => void;
}

export function createQueue({ maxConcurrent, maxPerModel, maxWaiting }: QueueLimits): Queue {
  const line: Waiting[] = [];
  const running = new Set<{ readonly model: object; readonly want: () => void }>();
  const isFree = (model: object): boolean =>
    running.size < maxConcurrent && [...running].filter((each) => each.model === model).length < maxPerModel;

  const begin = (model: object): Turn => {
    const { promise: wanted, resolve: want } = deferred();
    if (line.length > 0) want();
    const own = { model, want };
    running.add(own);
    return {
      wanted,
      end() {
        if (!running.delete(own)) return;
        // In order, but a model that is busy does not hold up another.
        const next = line.findIndex((waiting) => isFree(waiting.model));
        if (next >= 0) line.splice(next, 1)[0]?.start();
      },
    };
  };

  return {
    async take(model, signal) {
      if (signal?.aborted === true) throw abortedError();
      if (isFree(model)) return begin(model);
      if (line.length >= maxWaiting) {
        throw new SpellError("run-busy", `${maxWaiting} generations are waiting already`, {
          details: { waiting: line.length, limit: maxWaiting },
        });
      }
      // A signal of its own for each: hosts report more than ten listeners on one as a leak, and the line is longer.
      const leaving = signal === undefined ? undefined : AbortSignal.any([signal]);
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          line.splice(line.indexOf(waiting), 1);
          reject(abortedError());
        };
        const waiting: Waiting = {
          model,
          start: () => {
            leaving?.removeEventListener("abort", onAbort);
            resolve(begin(model));
          },
        };
        leaving?.addEventListener("abort", onAbort, { once: true });
        line.push(waiting);
        for (const { want } of running) want();
      });
    },
  };
}
