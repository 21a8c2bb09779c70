/** A host without a system: files from memory, no network, templates rendered in place. For tests of programs that use this library. */
import { SpellError } from "../errors.ts";
import { type ByteSource, bytesSource } from "../formats/byte-source.ts";
import type { ArtifactStore, Isolate, LogEntry, Offer, Platform, ScriptRuntime } from "../platform.ts";
import type { GgufRuntime, Seq2SeqRuntime } from "../spec/runtime.ts";
import { memoryStore } from "../store/memory-store.ts";
import { answerOf, loadIsolatedTask } from "../text/isolated-tasks.ts";
import { scriptedRuntime } from "./scripted-runtime.ts";

export interface MemoryPlatformOptions {
  /** default: scriptedRuntime() */
  readonly gguf?: GgufRuntime | undefined;
  /** default: none */
  readonly seq2seq?: Seq2SeqRuntime | undefined;
  /** default: none */
  readonly exported?: Seq2SeqRuntime | undefined;
  /** Path to contents; `bundled` files are found as "MODEL/FILE". */
  readonly files?: Readonly<Record<string, Uint8Array>> | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** default: memoryStore() */
  readonly store?: ArtifactStore | undefined;
  readonly now?: (() => number) | undefined;
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

export function memoryPlatform(options: MemoryPlatformOptions = {}): Platform {
  const files = new Map(Object.entries(options.files ?? {}));
  const open = (path: string): ByteSource | undefined => {
    const bytes = files.get(path);
    return bytes === undefined ? undefined : bytesSource(path.slice(path.lastIndexOf("/") + 1), bytes);
  };
  return {
    name: "memory",
    fetch: options.fetch ?? (() => Promise.reject(new SpellError("net-status", "this platform has no network"))),
    gguf: { available: true, value: options.gguf ?? scriptedRuntime() },
    seq2seq: offer(options.seq2seq, "encoder-decoder models"),
    exported: offer(options.exported, "exported models"),
    files: {
      available: true,
      value: {
        async look(path) {
          const folder = path.slice(0, path.lastIndexOf("/") + 1);
          const source = open(path);
          if (source !== undefined) return { kind: "file", path, sources: [source], sibling: async (name) => open(folder + name) };
          const inside = [...files.keys()].filter((key) => key.startsWith(`${path}/`) && !key.slice(path.length + 1).includes("/")).sort();
          if (inside.length === 0) throw new SpellError("model-unknown", `${path}: no such file or folder`, { where: path });
          return { kind: "folder", path, sources: inside.flatMap((key) => open(key) ?? []), sibling: async () => undefined };
        },
      },
    },
    scripts: offer<ScriptRuntime>(undefined, "scripts"),
    store: options.store ?? memoryStore(),
    isolate: inPlaceIsolate(),
    async bundled(model, file) {
      const source = open(`${model}/${file}`);
      if (source === undefined)
        throw new SpellError("model-unknown", `${model}/${file} is not among the platform's files`, { where: model });
      return source;
    },
    now: options.now ?? (() => performance.now()),
    log: options.log ?? (() => undefined),
  };
}

function offer<T>(value: T | undefined, what: string): Offer<T> {
  return value === undefined ? { available: false, reason: `this platform was given no runtime for ${what}` } : { available: true, value };
}

/** Runs tasks in place: no limit can be enforced, so only for templates a test trusts. */
export function inPlaceIsolate(): Isolate {
  return {
    async run(task, payload) {
      const run = await loadIsolatedTask(task);
      const answer = await answerOf(() => run(payload));
      if (!answer.ok) throw SpellError.fromJSON(answer.error);
      return answer.value;
    },
    async dispose() {},
  };
}
