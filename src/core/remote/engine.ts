/**
 * The side that holds an engine: opens one model, answers calls one after the other, stops when the reader is gone.
 * Runs in a child process in Node and in a Web Worker in a page; the caller's side is caller.ts. Knows no engine and no kind of thread.
 */
import { abortedError, SpellError, toSpellError } from "../errors.ts";
import { type ByteSource, blobSource } from "../formats/byte-source.ts";
import type { Device, DeviceProbe, ModelHandle } from "../spec/runtime.ts";
import { type EngineFile, type FromEngine, frameMs, maxUnreadPieces, type Piece, type ToEngine } from "./protocol.ts";

/** Either kind of runtime; its options come from the caller, which has checked them. */
export interface HostedEngine {
  prepare?(): void;
  /** Looks at a graphics card; loads no model. Without it the caller's side looks by itself. */
  probe?(device: Device): Promise<DeviceProbe>;
  open(files: readonly ByteSource[], options: never): Promise<ModelHandle<never>>;
}

export interface EngineHost {
  receive(message: ToEngine): void;
}

interface Call {
  readonly abort: AbortController;
  credit: number;
  wake: () => void;
}

interface Read {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: SpellError) => void;
}

/** @param post hands a message to the caller's side; it must not throw where that side is gone */
export function createEngineHost(engine: HostedEngine, post: (message: FromEngine) => void): EngineHost {
  const calls = new Map<number, Call>();
  const reads = new Map<number, Read>();
  let lastRead = 0;
  let turn: Promise<void> = Promise.resolve();
  let handle: ModelHandle<never> | undefined;

  /** Where neither a path nor a Blob is at hand, bytes come through the caller. */
  const toSource = ({ blob, ...known }: EngineFile, file: number): ByteSource => {
    if (blob !== undefined) return blobSource(known.name, blob);
    return {
      ...known,
      read(offset, length, signal) {
        if (signal?.aborted === true) return Promise.reject(abortedError());
        return new Promise((resolve, reject) => {
          lastRead += 1;
          reads.set(lastRead, { resolve, reject });
          post({ type: "read", read: lastRead, file, offset, length });
        });
      },
    };
  };

  const probe = async (device: Device): Promise<void> => {
    const nothing: DeviceProbe = { ok: false, reason: "missing-feature", hint: `this engine does not compute on ${device}` };
    try {
      post({ type: "probed", probe: (await engine.probe?.(device)) ?? nothing });
    } catch (error) {
      post({ type: "probed", probe: { ok: false, reason: "driver-missing", hint: toSpellError(error).message } });
    }
  };

  const open = async ({ files, options }: Extract<ToEngine, { type: "open" }>): Promise<void> => {
    try {
      let last = -1;
      const onProgress = (share: number): void => {
        // a hundred messages are enough for any bar
        if (share < 1 && share - last < 0.01) return;
        last = share;
        post({ type: "progress", share });
      };
      handle = await engine.open(files.map(toSource), { ...options, onProgress } as never);
      const { device, contextLength, unsupported, notes, dimensions, countsTokens } = handle;
      const answersMany = handle.generateMany !== undefined;
      const reranks = handle.rerank !== undefined;
      post({ type: "opened", handle: { device, contextLength, unsupported, notes, answersMany, dimensions, countsTokens, reranks } });
    } catch (error) {
      post({ type: "failed", call: 0, error: toSpellError(error, "run-crash").toJSON() });
    }
  };

  const answer = async (message: Question, call: Call): Promise<void> => {
    const { call: id } = message;
    const { signal } = call.abort;
    const messages = gather<Piece>((pieces) => post({ type: "pieces", call: id, pieces }));
    try {
      if (signal.aborted) throw abortedError();
      if (handle === undefined) throw new SpellError("run-closed", "no model is open");
      const pieces = piecesOf(handle, message, { ...message.options, signal } as never);
      if (pieces === undefined) throw new SpellError("internal-error", `this engine does not ${message.type} so`);
      for await (const piece of pieces) {
        while (call.credit <= 0 && !signal.aborted) {
          await new Promise<void>((resolve) => {
            call.wake = resolve;
          });
        }
        if (signal.aborted) throw abortedError();
        call.credit -= 1;
        messages.add(piece);
      }
      messages.send();
    } catch (error) {
      messages.send();
      post({ type: "failed", call: id, error: toSpellError(error, "run-crash").toJSON() });
    }
  };

  return {
    receive(message) {
      switch (message.type) {
        case "probe":
          void probe(message.device);
          return;
        case "open":
          void open(message);
          return;
        case "generate":
        case "embed":
        case "rerank": {
          // One at a time, in order: a call that was cancelled may still be at its last step when the next one arrives.
          const call: Call = { abort: new AbortController(), credit: maxUnreadPieces, wake: () => undefined };
          calls.set(message.call, call);
          turn = turn.then(() => answer(message, call)).finally(() => calls.delete(message.call));
          return;
        }
        case "credit": {
          const call = calls.get(message.call);
          if (call === undefined) return;
          call.credit += message.pieces;
          call.wake();
          return;
        }
        case "cancel": {
          const call = calls.get(message.call);
          call?.abort.abort();
          call?.wake();
          return;
        }
        case "bytes":
        case "no-bytes": {
          const read = reads.get(message.read);
          reads.delete(message.read);
          if (message.type === "bytes") read?.resolve(message.bytes);
          else read?.reject(SpellError.fromJSON(message.error));
          return;
        }
        default:
          message satisfies never;
      }
    },
  };
}

type Question = Extract<ToEngine, { type: "generate" | "embed" | "rerank" }>;

/** @returns undefined where the engine cannot */
function piecesOf(handle: ModelHandle<never>, message: Question, options: never): AsyncIterable<Piece> | undefined {
  if (message.type === "rerank") return handle.rerank?.(message.query, message.texts, options);
  if (message.type === "embed") return handle.embed?.(message.texts, options);
  const { prompt } = message;
  return typeof prompt === "string" ? handle.generate(prompt, options) : handle.generateMany?.(prompt, options);
}

/** Puts what comes within a frame into one message; the first one goes at once. */
function gather<T>(post: (items: readonly T[]) => void): { readonly add: (item: T) => void; readonly send: () => void } {
  let waiting: T[] = [];
  let sentAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const send = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    sentAt = performance.now();
    post(waiting);
    waiting = [];
  };
  return {
    add(item) {
      waiting.push(item);
      const leftMs = frameMs - (performance.now() - sentAt);
      if (leftMs <= 0) send();
      else timer ??= setTimeout(send, leftMs);
    },
    send,
  };
}
