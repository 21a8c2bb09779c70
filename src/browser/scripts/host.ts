/** Scripts in a page: a dedicated worker for each, terminated from outside. Imported with the first script. */
import { SpellError } from "../../core/errors.ts";
import type { ScriptRuntime, ScriptWire } from "../../core/platform.ts";
import { scriptEngines } from "../addresses.ts";
import { ringBytes, ringWriter } from "./ring.ts";

export type ScriptEngine = keyof typeof scriptEngines;

/** The first message to a worker; texts follow. */
export interface WorkerStart {
  readonly engine: WebAssembly.Module;
  readonly memoryBytes: number;
  /** Where the engine waits in; absent: its stack is suspended. */
  readonly ring?: SharedArrayBuffer | undefined;
}

/** Kept for the life of the page. A failure is not: the next script asks again. */
const compiled = new Map<ScriptEngine, Promise<WebAssembly.Module>>();

/** How an engine waits; `none`: it cannot. */
export type ScriptWait = "suspension" | "memory" | "none";

/** @param waitsIn default: the best that this page has */
export function workerScripts(waitsIn: ScriptWait = bestWait()): ScriptRuntime {
  return {
    async start(engine, memoryBytes) {
      if (waitsIn === "none")
        throw new SpellError(
          "usage-not-available",
          "scripts need a browser that suspends WebAssembly (JSPI), or a page isolated from other origins; got neither",
          {
            hint: "Use a newer browser, or serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
          },
        );
      const worker = scriptEngines[engine].worker();
      const ring = waitsIn === "memory" ? new SharedArrayBuffer(ringBytes) : undefined;
      try {
        worker.postMessage({ engine: await module(engine), memoryBytes, ring } satisfies WorkerStart);
      } catch (error) {
        worker.terminate();
        throw error;
      }
      return wireOf(worker, ring);
    },
  };
}

function bestWait(): ScriptWait {
  if ("Suspending" in WebAssembly) return "suspension";
  return globalThis.crossOriginIsolated ? "memory" : "none";
}

function module(engine: ScriptEngine): Promise<WebAssembly.Module> {
  let found = compiled.get(engine);
  if (found === undefined) {
    found = compile(scriptEngines[engine].file());
    compiled.set(engine, found);
    found.catch(() => compiled.delete(engine));
  }
  return found;
}

async function compile(address: URL): Promise<WebAssembly.Module> {
  const refuse = (what: string, hint: string, cause?: unknown): SpellError =>
    new SpellError("script-error", `the engine of scripts cannot start: ${what}`, { where: address.href, hint, cause });
  const served = "The page is served without the files of this package: docs/browser.md, Bundlers.";
  const response = await fetch(address).catch((cause: unknown) => {
    throw refuse(`no answer from ${address.host}`, "Check the network.", cause);
  });
  if (!response.ok) throw refuse(`status ${response.status}`, served);
  const bytes = await response.arrayBuffer();
  if (new Uint32Array(bytes.slice(0, 4))[0] !== wasmMagic) throw refuse("expected a WebAssembly file, got another", served);
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw refuse("this page may not run WebAssembly", "Its Content-Security-Policy needs 'wasm-unsafe-eval' in script-src.", cause);
  }
}
/** "\0asm", little-endian */
const wasmMagic = 0x6d736100;

function wireOf(worker: Worker, ring: SharedArrayBuffer | undefined): ScriptWire {
  const early: string[] = [];
  worker.onmessage = ({ data }: MessageEvent<string>) => void early.push(data);
  const write = ring === undefined ? undefined : ringWriter(ring);
  return {
    post: write?.post ?? ((text) => worker.postMessage(text)),
    listen(onMessage, onDeath) {
      worker.onmessage = ({ data }: MessageEvent<string>) => onMessage(data);
      worker.onerror = (event) => onDeath(event.message || "it could not start");
      for (const text of early.splice(0)) onMessage(text);
    },
    async kill() {
      write?.end();
      worker.terminate();
    },
  };
}
