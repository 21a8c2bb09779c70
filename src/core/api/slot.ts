/** One place of the pool: a model that its holders share, its engine while it is loaded, and the timer that unloads it. */
import type { FoundModelEntry, LoadOptions, OpenedModel } from "../backends/backend.ts";
import { abortedError } from "../errors.ts";

type Waiter = Pick<LoadOptions, "onProgress" | "signal">;

export class Slot {
  readonly entry: FoundModelEntry;
  readonly provider: string;
  /** Callers that loaded it and have not disposed it; each ends with its controller. */
  readonly holders: Set<AbortController> = new Set();
  /** A call without a holder used it: it stays loaded until the keep-alive or unload(). */
  isKept: boolean = false;
  /** Holders whose first call is about to begin: without a keep-alive, too, they find it loaded. */
  #awaited = 0;
  /** Facts of the engine that was loaded last; they stay true while it is unloaded. */
  known: OpenedModel | undefined;
  readonly #keepAliveMs: number | undefined;
  /** Makes room. @returns whether another model was unloaded */
  readonly #makeRoom: (slot: Slot) => Promise<boolean>;
  #model: OpenedModel | undefined;
  #opening: Opening | undefined;
  #closing: Promise<void> = Promise.resolve();
  #calls = 0;
  #stopWaiting: (() => void) | undefined;
  /** It is unloaded with the end of its calls, whatever the keep-alive. */
  #isDue = false;
  /** when the keep-alive began, in milliseconds since the epoch */
  #restsSince: number | undefined;

  constructor(entry: FoundModelEntry, provider: string, keepAliveMs: number | undefined, makeRoom: (slot: Slot) => Promise<boolean>) {
    this.entry = entry;
    this.provider = provider;
    this.#keepAliveMs = keepAliveMs;
    this.#makeRoom = makeRoom;
  }

  get isLoaded(): boolean {
    return this.#model !== undefined;
  }

  /** Seconds since the epoch when the keep-alive unloads it: at the earliest, where it works now. undefined: never. */
  get expiresAt(): number | undefined {
    if (this.#keepAliveMs === undefined) return undefined;
    return ((this.#calls > 0 ? undefined : this.#restsSince) ?? Date.now()) / 1000 + this.#keepAliveMs / 1000;
  }

  get isIdle(): boolean {
    return this.#calls === 0 && this.#opening === undefined;
  }

  /** The loaded engine; loads it where it is not. Those who wait for one load share it; it is given up when all of them have left. */
  async live(waiter: Waiter): Promise<OpenedModel> {
    if (this.#model !== undefined) return this.#model;
    await this.#closing;
    if (this.#model !== undefined) return this.#model;
    if (this.#opening === undefined) {
      const opening = shareOpening(async (options) => {
        try {
          return await this.entry.open(options);
        } catch (error) {
          const isMemory = (error as { readonly code?: unknown }).code === "device-memory";
          if (!isMemory || !(await this.#makeRoom(this))) throw error;
          return this.entry.open(options);
        }
      });
      this.#opening = opening;
      opening.model.then(
        (model) => {
          if (this.#opening !== opening) return void model.dispose();
          this.#opening = undefined;
          this.#model = model;
          this.known = model;
        },
        () => {
          if (this.#opening === opening) this.#opening = undefined;
        },
      );
    }
    return this.#opening.join(waiter);
  }

  /** A call begins: it is not unloaded meanwhile. @returns ends the call */
  enter(): () => void {
    this.#calls += 1;
    this.#isDue = false;
    this.#stopWaiting?.();
    return () => {
      this.#calls -= 1;
      this.rest();
    };
  }

  /** A holder comes whose call follows. @returns says that it has come, or will not; the second time does nothing */
  awaitCall(): () => void {
    this.isKept = true;
    this.#awaited += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#awaited -= 1;
      if (this.#keepAliveMs === 0) this.rest();
    };
  }

  /** Starts the keep-alive where nothing uses it. */
  rest(): void {
    this.#stopWaiting?.();
    if (this.#calls > 0 || this.#model === undefined) return;
    if (this.#isDue) return void this.unload();
    if (this.#keepAliveMs === 0) return void (this.#awaited > 0 || this.unload());
    if (this.#keepAliveMs === undefined) return;
    this.#restsSince = Date.now();
    this.#stopWaiting = later(this.#keepAliveMs, () => void this.unload());
  }

  /** As unload(), once the calls under way are over. */
  async retire(): Promise<void> {
    if (this.isIdle) return this.unload();
    this.#isDue = true;
  }

  /** Frees the engine; the next call loads it again. */
  async unload(): Promise<void> {
    this.#stopWaiting?.();
    this.#isDue = false;
    const model = this.#model;
    this.#model = undefined;
    this.#opening?.end();
    this.#opening = undefined;
    if (model !== undefined) this.#closing = model.dispose().catch(() => undefined);
    await this.#closing;
  }
}

interface Opening {
  readonly model: Promise<OpenedModel>;
  join(waiter: Waiter): Promise<OpenedModel>;
  end(): void;
}

function shareOpening(open: (options: Waiter) => Promise<OpenedModel>): Opening {
  const abort = new AbortController();
  const waiters = new Set<(share: number) => void>();
  const onProgress = (share: number): void => {
    for (const tell of waiters) tell(share);
  };
  const model = open({ signal: abort.signal, onProgress });
  return {
    model,
    end: () => abort.abort(),
    join(waiter) {
      const { signal } = waiter;
      if (signal?.aborted === true) return Promise.reject(abortedError());
      return new Promise((resolve, reject) => {
        const leave = (): boolean => waiters.delete(own) && waiters.size === 0;
        const onAbort = (): void => {
          if (leave())
            abort.abort(); // `model` rejects when the engine is gone
          else reject(abortedError());
        };
        const own = (share: number): void => {
          try {
            waiter.onProgress?.(share);
          } catch (error) {
            reject(error);
            if (leave()) abort.abort();
          }
        };
        waiters.add(own);
        signal?.addEventListener("abort", onAbort, { once: true });
        model.then(resolve, reject).finally(() => {
          signal?.removeEventListener("abort", onAbort);
          waiters.delete(own);
        });
      });
    },
  };
}

/** Runs later, and does not keep a process alive for it. @returns what calls it off */
export function later(ms: number, work: () => void): () => void {
  // longer waits would overflow the timer and run at once
  const timer: unknown = setTimeout(work, Math.min(ms, 2 ** 31 - 1));
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") timer.unref();
  return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
}
