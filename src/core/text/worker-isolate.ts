/**
 * An Isolate over any kind of worker: one worker, one task at a time, ended when a limit is reached and started anew at the next task.
 * The clock starts when the worker is ready, so that a slow start is not taken for a slow task. Hosts hand in how a worker is made.
 */
import { abortedError, closedError, SpellError } from "../errors.ts";
import type { Isolate, IsolateOptions } from "../platform.ts";
import type { IsolatedAnswer } from "./isolated-tasks.ts";
import { createQueue } from "./queue.ts";

export interface IsolateWorker {
  post(message: unknown): void;
  terminate(): void;
  /** Lets the host's process end, or keeps it alive while a task runs. */
  hold(busy: boolean): void;
}

export interface IsolateWorkerEvents {
  readonly onMessage: (message: unknown) => void;
  /** The worker died: out of memory, an error outside a task, a file that is not there. */
  readonly onDeath: (reason: string, outOfMemory: boolean) => void;
}

/** @param start makes a worker that posts `{ id: 0 }` when ready, then `{ id, answer }` per task */
export function createWorkerIsolate(start: (events: IsolateWorkerEvents) => IsolateWorker): Isolate {
  const queue = createQueue({ maxConcurrent: 1, maxPerModel: 1, maxWaiting: Number.POSITIVE_INFINITY });
  const closing = new AbortController();
  let current: Running | undefined;
  let lastId = 0;

  const stop = (): void => {
    current?.worker.terminate();
    current = undefined;
  };

  const ensureWorker = (): Running => {
    if (current !== undefined) return current;
    let markReady: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => {
      markReady = resolve;
    });
    const worker = start({
      onMessage: (message) => {
        const { id, answer } = message as { id: number; answer?: IsolatedAnswer | undefined };
        if (id === 0) markReady();
        else if (own === current && answer !== undefined) own.settle?.(id, answer);
      },
      onDeath: (reason, outOfMemory) => {
        markReady();
        if (own === current) current = undefined;
        own.settle?.(lastId, { died: reason, outOfMemory });
      },
    });
    const own: Running = { worker, ready, settle: undefined };
    current = own;
    return own;
  };

  const runOne = async (task: string, payload: unknown, options: IsolateOptions): Promise<unknown> => {
    const own = ensureWorker();
    lastId += 1;
    const id = lastId;
    const { signal, timeoutMs, limitCode } = options;
    own.worker.hold(true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        own.settle = (answeredId, answer) => {
          if (answeredId !== id) return;
          if ("died" in answer) {
            reject(
              answer.outOfMemory
                ? new SpellError(limitCode, "the task took more memory than it may", { details: { task } })
                : new SpellError("internal-error", `the worker for ${task} died: ${answer.died}`),
            );
          } else if (answer.ok) resolve(answer.value);
          else reject(SpellError.fromJSON(answer.error));
        };
        onAbort = () => {
          own.settle = undefined;
          stop();
          reject(abortedError());
        };
        if (signal?.aborted === true) return onAbort();
        signal?.addEventListener("abort", onAbort, { once: true });
        void own.ready.then(() => {
          if (own !== current) return;
          timer = setTimeout(() => {
            own.settle = undefined;
            stop();
            reject(new SpellError(limitCode, `the task was ended after ${timeoutMs} ms`, { details: { task, timeoutMs } }));
          }, timeoutMs);
          own.worker.post({ id, task, payload, timeoutMs });
        });
      });
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
      own.settle = undefined;
      own.worker.hold(false);
    }
  };

  return {
    async run(task, payload, options) {
      const signal = options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal]);
      const turn = await queue.take(queue, signal).catch((error: unknown) => {
        throw closing.signal.aborted ? closedError() : error;
      });
      try {
        return await runOne(task, payload, options);
      } finally {
        turn.end();
      }
    },
    prepare() {
      if (!closing.signal.aborted) ensureWorker();
    },
    async dispose() {
      closing.abort();
      stop();
    },
  };
}

interface Running {
  readonly worker: IsolateWorker;
  readonly ready: Promise<void>;
  settle: Settle | undefined;
}

type Settle = (id: number, answer: IsolatedAnswer | { readonly died: string; readonly outOfMemory: boolean }) => void;
