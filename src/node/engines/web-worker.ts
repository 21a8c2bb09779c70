/**
 * Web Workers over worker threads, as far as wllama needs them: code from blob: addresses, messages kept until the thread runs, workers
 * that start workers. Only for use inside the disposable child process of engine-child.ts.
 */
import { resolveObjectURL } from "node:buffer";
import { type Transferable, Worker } from "node:worker_threads";
import { messageOf } from "../../core/errors.ts";

type PostOptions = readonly unknown[] | { readonly transfer?: readonly unknown[] | undefined };

export const toTransferList = (options: PostOptions | undefined): Transferable[] =>
  [
    ...(Array.isArray(options) ? options : ((options as { transfer?: readonly unknown[] | undefined } | undefined)?.transfer ?? [])),
  ] as Transferable[];

/** What a thread is started with. */
export interface WorkerData {
  readonly code: string;
  readonly name: string;
  readonly scope: string;
  readonly hasGpu: boolean;
}

/**
 * @param scope compiled file that turns a thread into a worker scope and runs its code (web-worker-scope.ts)
 * @param hasGpu asked for each worker: whether navigator.gpu is there, through the package `webgpu`
 * @param onDeath told when a thread ends that was not terminated
 * @returns a class to stand in for the global Worker
 */
export function webWorkerClass(
  scope: string,
  hasGpu: () => boolean,
  onDeath: (reason: string) => void,
): new (
  url: string | URL,
  options?: { readonly name?: string | undefined },
) => unknown {
  return class WebWorker {
    onmessage: ((event: { readonly data: unknown; readonly target: unknown }) => void) | null = null;
    onerror: ((event: { readonly message: string; readonly error: unknown }) => void) | null = null;
    #thread: Worker | undefined;
    #waiting: [message: unknown, transfer: Transferable[]][] = [];
    #ended = false;

    constructor(url: string | URL, options: { readonly name?: string | undefined } = {}) {
      const code = resolveObjectURL(String(url))?.text() ?? Promise.reject(new Error(`no such worker: ${String(url).slice(0, 80)}`));
      code.then(
        (text) => this.#start(text, options.name ?? ""),
        (error: unknown) => this.#fail(error),
      );
    }

    #start(code: string, name: string): void {
      if (this.#ended) return;
      const thread = new Worker(scope, { workerData: { code, name, scope, hasGpu: hasGpu() } satisfies WorkerData, name, execArgv: [] });
      thread.on("message", (data) => this.onmessage?.({ data, target: this }));
      thread.on("error", (error) => this.#fail(error));
      thread.on("exit", (status) => {
        if (!this.#ended) onDeath(`a worker thread ended with ${status}`);
      });
      for (const [message, transfer] of this.#waiting.splice(0)) thread.postMessage(message, transfer);
      this.#thread = thread;
    }

    #fail(error: unknown): void {
      const message = messageOf(error);
      this.onerror?.({ message, error });
      onDeath(message);
    }

    postMessage(message: unknown, options?: PostOptions): void {
      const transfer = toTransferList(options);
      if (this.#thread === undefined) this.#waiting.push([message, transfer]);
      else this.#thread.postMessage(message, transfer);
    }

    addEventListener(type: "message" | "error", listener: never): void {
      this[`on${type}`] = listener;
    }

    terminate(): void {
      this.#ended = true;
      void this.#thread?.terminate();
    }

    // Node's own handles: the engine's code calls them where it believes to be in Node.
    ref(): void {
      this.#thread?.ref();
    }

    unref(): void {
      this.#thread?.unref();
    }
  };
}
