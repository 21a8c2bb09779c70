/**
 * Sessions of onnxruntime-node on a thread of their own (onnx-thread.ts). The engine opens a session on the thread that asks, and lays weights out anew with
 * one processor: two graphs that are opened on two threads are there in the time of the slower one.
 */
import { Worker } from "node:worker_threads";
import { deferred } from "../../core/values.ts";
import type { OrtModule, OrtSession, OrtTensor } from "../../engines/ort/driver.ts";
import { builtFile } from "../built-file.ts";

export interface PlainTensor {
  readonly type: string;
  readonly data: Float32Array | BigInt64Array;
  readonly dims: readonly number[];
}
type PlainTensors = Readonly<Record<string, PlainTensor>>;

type Work =
  | { readonly kind: "open"; readonly model: Uint8Array; readonly options: Readonly<Record<string, unknown>> }
  | { readonly kind: "run"; readonly feeds: PlainTensors; readonly outputs: readonly string[] | undefined }
  | { readonly kind: "release" };

export type Ask = Work & { readonly id: number; readonly session: number };

export interface Answer {
  readonly id: number;
  readonly value?: Pick<OrtSession, "inputNames" | "outputNames"> | PlainTensors | undefined;
  /** what the engine said */
  readonly error?: string | undefined;
}

interface Thread {
  readonly worker: Worker;
  readonly hasEnded: boolean;
  ask(work: Work, session: number): Promise<Answer["value"]>;
}

/** The thread lives as long as it has sessions, and keeps no process. Where there can be none, sessions are this thread's. @param ort of this thread */
export function apartOrt(ort: OrtModule): OrtModule {
  const { Tensor } = ort;
  let thread: Thread | undefined;
  let opened = 0;
  let alive = 0;
  const leave = async (left: Thread): Promise<void> => {
    alive -= 1;
    if (alive > 0) return;
    if (thread === left) thread = undefined;
    await left.worker.terminate();
  };
  return {
    Tensor,
    InferenceSession: {
      async create(model, options) {
        thread ??= startThread();
        const own = thread;
        const id = opened++;
        alive += 1;
        try {
          const names = (await own.ask({ kind: "open", model, options }, id)) as Pick<OrtSession, "inputNames" | "outputNames">;
          return {
            ...names,
            async run(feeds, outputs) {
              const plain = Object.entries(feeds).map(([name, { type, data, dims }]) => [name, { type, data: whole(data), dims }]);
              const answer = (await own.ask(
                { kind: "run", feeds: Object.fromEntries(plain) as PlainTensors, outputs },
                id,
              )) as PlainTensors;
              const tensors = Object.entries(answer).map(([name, { type, data, dims }]) => [name, new Tensor(type, data as never, dims)]);
              return Object.fromEntries(tensors) as Record<string, OrtTensor>;
            },
            async release() {
              await own.ask({ kind: "release" }, id).catch(() => undefined); // a thread that ended holds nothing
              await leave(own);
            },
          };
        } catch (error) {
          const { hasEnded } = own;
          await leave(own);
          if (hasEnded) return ort.InferenceSession.create(model, options);
          throw error;
        }
      },
    },
  };
}

/** A view travels with all of the memory it looks at. */
function whole(data: unknown): PlainTensor["data"] {
  const values = data as PlainTensor["data"];
  return values.byteLength === values.buffer.byteLength ? values : values.slice();
}

function startThread(): Thread {
  const worker = new Worker(builtFile("engines/onnx-thread"), { name: "onnxruntime-node", execArgv: [] });
  const waiting = new Map<number, ReturnType<typeof deferred<Answer["value"]>>>();
  let asked = 0;
  let ended: Error | undefined;
  const settle = (id: number): ReturnType<typeof deferred<Answer["value"]>> | undefined => {
    const found = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    return found;
  };
  const end = (error: Error): void => {
    ended ??= error;
    for (const id of [...waiting.keys()]) settle(id)?.reject(ended);
  };
  worker.on("message", ({ id, value, error }: Answer) => {
    const found = settle(id);
    if (error === undefined) found?.resolve(value);
    else found?.reject(new Error(error));
  });
  worker.on("error", end);
  worker.on("exit", (code) => end(new Error(`the thread of onnxruntime-node ended with ${code}`)));
  worker.unref();
  return {
    worker,
    get hasEnded() {
      return ended !== undefined;
    },
    async ask(work, session) {
      if (ended !== undefined) throw ended;
      const answer = deferred<Answer["value"]>();
      const id = asked++;
      worker.postMessage({ ...work, id, session } satisfies Ask);
      waiting.set(id, answer);
      worker.ref();
      return answer.promise;
    },
  };
}
