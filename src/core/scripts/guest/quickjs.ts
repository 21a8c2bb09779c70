/**
 * A QuickJS realm over the WebAssembly file of quickjs-wasi, without its JavaScript. Its memory is handed in, with the script's limit as its maximum.
 * Inside there are two functions of ours (post, receive) and a loader of modules. Values are addresses in its memory; none becomes an object of this realm.
 */
import type { MeasuredChannel } from "./channel.ts";
import { promising, suspending } from "./suspend.ts";

/** A value of the realm, to be freed; 0 after an exception. */
export type Value = number;

/** What we use of its C functions; all take and give addresses and numbers. */
type Exports = Readonly<
  Record<
    | "_initialize"
    | "qjs_init2"
    | "qjs_set_max_stack_size"
    | "qjs_set_interrupt_handler"
    | "qjs_set_module_loader"
    | "qjs_set_promise_rejection_handler"
    | "qjs_eval"
    | "qjs_call"
    | "qjs_execute_pending_job"
    | "qjs_is_job_pending"
    | "qjs_new_string"
    | "qjs_new_host_function"
    | "qjs_get_string_len"
    | "qjs_free_cstring"
    | "qjs_get_undefined"
    | "qjs_get_global"
    | "qjs_get_prop_string"
    | "qjs_set_prop_string"
    | "qjs_get_exception"
    | "qjs_get_value_ptr"
    | "qjs_is_exception"
    | "qjs_is_uncatchable_error"
    | "qjs_is_string"
    | "qjs_is_error"
    | "qjs_throw"
    | "qjs_free_value"
    | "wasm_malloc"
    | "wasm_free",
    (...values: number[]) => number
  >
>;

export interface Loader {
  /** @throws {message, …} what the import raises, as a fault */
  normalize(base: string, name: string): string;
  load(name: string): string | Promise<string>;
  /** @returns the value to throw inside */
  fault(error: unknown): Value;
}

/** The exception that waits. */
export interface Exception {
  /** The caller frees it. */
  readonly value: Value;
  readonly name?: string | undefined;
  readonly message: string;
  readonly stack?: string | undefined;
  /** it cannot be caught inside: interrupted, or out of memory */
  readonly isFatal: boolean;
}

/** Flags of qjs_eval. */
export const evalFlags = { module: 1, strict: 8, shell: 128 } as const;
/** All but performance, DOMException and atob. */
const intrinsics = 0xffffffff & ~(1024 | 2048 | 4096);
const stackBytes = 256 * 1024;
const pageBytes = 65_536;
/** The file asks for as many pages at its start. */
export const leastPages = 18;
/** Failed promises without a handler that are kept; more tell nothing new. */
const mostRejections = 100;

export interface Realm {
  /** @returns 0 after an exception */
  evaluate(source: string, name: string, flags: number): Value | Promise<Value>;
  /** Calls a function with values and keeps the result; 0 after an exception. The arguments stay the caller's. */
  call(f: Value, ...args: readonly Value[]): Value | Promise<Value>;
  /** The same for a function of ours that does not wait, also below an import. */
  callNow(f: Value, ...args: readonly Value[]): Value;
  /** Calls a function with texts. @returns its result as text; undefined after an exception */
  ask(f: Value, ...texts: readonly string[]): string | undefined | Promise<string | undefined>;
  /** Runs waiting jobs. @returns false after an exception that cannot be caught */
  jobs(): boolean | Promise<boolean>;
  exception(): Exception;
  /** The reason of a promise that failed with nothing waiting for it. The caller frees it. */
  takeRejection(): Value | undefined;
  get(object: Value, name: string): Value;
  text(value: Value): string;
  string(text: string): Value;
  free(value: Value): void;
}

export function createRealm(module: WebAssembly.Module, memoryBytes: number, channel: MeasuredChannel, loader: Loader): Realm {
  const memory = new WebAssembly.Memory({ initial: leastPages, maximum: Math.max(leastPages, Math.floor(memoryBytes / pageBytes)) });
  const view = (): DataView => new DataView(memory.buffer);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const slice = (at: number, length: number): string => decoder.decode(new Uint8Array(memory.buffer, at, length));
  const cText = (at: number): string => slice(at, new Uint8Array(memory.buffer).indexOf(0, at) - at);
  const rejections = new Map<number, Value>();

  const host = {
    host_call: suspending(channel, (name: number, length: number, _self: number, _count: number, args: number) => {
      if (slice(name, length) === "post") {
        channel.post(text(view().getUint32(args, true)));
        return qjs.qjs_get_undefined();
      }
      const got = channel.receive();
      return typeof got === "string" ? string(got) : got.then(string);
    }),
    host_module_normalize(base: number, name: number) {
      try {
        return put(loader.normalize(cText(base), cText(name))).at;
      } catch (error) {
        return raise(error);
      }
    },
    host_module_load: suspending(channel, (name: number, size: number) => {
      const done = (source: string): number => {
        const { at, length } = put(source);
        view().setUint32(size, length, true);
        return at;
      };
      try {
        const got = loader.load(cText(name));
        return typeof got === "string" ? done(got) : got.then(done).catch(raise);
      } catch (error) {
        return raise(error);
      }
    }),
    host_interrupt: () => (channel.overtime() === undefined ? 0 : 1),
    host_promise_rejection(promise: Value, reason: Value, isHandled: number) {
      const id = qjs.qjs_get_value_ptr(promise);
      const known = rejections.get(id);
      if (known !== undefined) qjs.qjs_free_value(known);
      rejections.delete(id);
      if (isHandled === 0 && rejections.size < mostRejections) rejections.set(id, reason);
      else qjs.qjs_free_value(reason);
      qjs.qjs_free_value(promise);
    },
    host_get_timezone_offset: (high: number, low: number) => -new Date((high * 2 ** 32 + (low >>> 0)) * 1000).getTimezoneOffset() * 60,
    memory,
  };
  /** The realm's clock and random numbers; files and output do not exist behind the rest. */
  const system = {
    clock_time_get(_id: number, _precision: bigint, at: number) {
      view().setBigUint64(at, BigInt(Date.now()) * 1_000_000n, true);
      return 0;
    },
    random_get(at: number, length: number) {
      crypto.getRandomValues(new Uint8Array(memory.buffer as ArrayBuffer, at, length));
      return 0;
    },
    fd_write(_fd: number, _at: number, _count: number, written: number) {
      view().setUint32(written, 0, true);
      return 0;
    },
    fd_close: () => 52,
    fd_seek: () => 52,
    fd_fdstat_get: () => 8,
  };
  const qjs = new WebAssembly.Instance(module, { env: host, wasi_snapshot_preview1: system } as unknown as WebAssembly.Imports)
    .exports as unknown as Exports;

  function put(text: string): { readonly at: number; readonly length: number } {
    const data = encoder.encode(text);
    const at = qjs.wasm_malloc(data.length + 1);
    if (at === 0) throw new RangeError("no memory for a message");
    new Uint8Array(memory.buffer).set(data, at);
    view().setUint8(at + data.length, 0);
    return { at, length: data.length };
  }
  function string(text: string): Value {
    const { at, length } = put(text);
    try {
      return qjs.qjs_new_string(at, length);
    } finally {
      qjs.wasm_free(at);
    }
  }
  function text(value: Value): string {
    const size = qjs.wasm_malloc(4);
    const at = qjs.qjs_get_string_len(value, size);
    const length = view().getUint32(size, true);
    qjs.wasm_free(size);
    if (at === 0) return "";
    const out = slice(at, length);
    qjs.qjs_free_cstring(at);
    return out;
  }
  function get(object: Value, name: string): Value {
    const { at } = put(name);
    const value = qjs.qjs_get_prop_string(object, at);
    qjs.wasm_free(at);
    return value;
  }
  function raise(error: unknown): number {
    const value = loader.fault(error);
    qjs.qjs_free_value(qjs.qjs_throw(value));
    qjs.qjs_free_value(value);
    return 0;
  }
  const kept = (value: Value): Value => {
    if (qjs.qjs_is_exception(value) === 0) return value;
    qjs.qjs_free_value(value);
    return 0;
  };

  qjs._initialize();
  if (qjs.qjs_init2(intrinsics) !== 0) throw new RangeError("not enough memory for a realm");
  qjs.qjs_set_max_stack_size(stackBytes);
  qjs.qjs_set_interrupt_handler(1);
  qjs.qjs_set_module_loader(1);
  qjs.qjs_set_promise_rejection_handler(1);
  for (const name of ["post", "receive"]) {
    const { at, length } = put(name);
    const f = qjs.qjs_new_host_function(at, length, 0);
    const global = qjs.qjs_get_global();
    qjs.qjs_set_prop_string(global, at, f);
    for (const value of [f, global]) qjs.qjs_free_value(value);
    qjs.wasm_free(at);
  }

  const evaluate = promising(channel, qjs.qjs_eval);
  const invoke = promising(channel, qjs.qjs_call);
  const job = promising(channel, qjs.qjs_execute_pending_job);
  const then = <T>(got: number | Promise<number>, use: (value: number) => T): T | Promise<T> =>
    typeof got === "number" ? use(got) : got.then(use);
  const calling = (entry: typeof invoke, f: Value, args: readonly Value[]): Value | Promise<Value> => {
    const at = qjs.wasm_malloc(4 * args.length || 4);
    args.forEach((value, i) => {
      view().setUint32(at + 4 * i, value, true);
    });
    return then(entry(f, qjs.qjs_get_undefined(), args.length, at), (value) => {
      qjs.wasm_free(at);
      return kept(value);
    });
  };
  const call: Realm["call"] = (f, ...args) => calling(invoke, f, args);
  return {
    evaluate(source, name, flags) {
      const s = put(source);
      const n = put(name);
      return then(evaluate(s.at, s.length, n.at, flags), (value) => {
        qjs.wasm_free(s.at);
        qjs.wasm_free(n.at);
        return kept(value);
      });
    },
    call,
    callNow: (f, ...args) => calling(qjs.qjs_call, f, args) as Value,
    ask(f, ...texts) {
      const values = texts.map(string);
      return then(call(f, ...values), (value) => {
        for (const each of values) qjs.qjs_free_value(each);
        if (value === 0) return undefined;
        const out = text(value);
        qjs.qjs_free_value(value);
        return out;
      });
    },
    jobs() {
      const step = (): boolean | Promise<boolean> => {
        while (qjs.qjs_is_job_pending() !== 0) {
          const ran = job();
          if (typeof ran !== "number") return ran.then((status) => (status < 0 ? false : step()));
          if (ran < 0) return false;
        }
        return true;
      };
      return step();
    },
    exception() {
      const value = qjs.qjs_get_exception();
      const isFatal = qjs.qjs_is_uncatchable_error(value) !== 0;
      const field = (name: string): string | undefined => {
        const inner = get(value, name);
        const found = qjs.qjs_is_string(inner) !== 0 ? text(inner) : undefined;
        qjs.qjs_free_value(inner);
        return found;
      };
      // Properties of what a script threw itself may be functions of its own: only the prelude looks at those, inside.
      if (qjs.qjs_is_error(value) === 0) return { value, message: "", isFatal };
      return { value, name: field("name"), message: field("message") ?? "", stack: field("stack"), isFatal };
    },
    takeRejection() {
      const [first] = rejections;
      if (first === undefined) return undefined;
      rejections.delete(first[0]);
      return first[1];
    },
    get,
    text,
    string,
    free: (value) => void qjs.qjs_free_value(value),
  };
}
