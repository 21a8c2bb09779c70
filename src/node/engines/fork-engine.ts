/**
 * Starts the processes of engines. A file of its own, with little behind it: the command line asks for an engine's process before it reads the rest
 * of the program, and child-runtime.ts takes it over.
 */
import { type ChildProcess, fork } from "node:child_process";
import { SpellError } from "../../core/errors.ts";
import { builtFile } from "../built-file.ts";
import { childFolder } from "../child-folder.ts";
import { errnoOf } from "../errno.ts";
import { homeFolder } from "../home.ts";
import { packageArguments } from "../plug-n-play.ts";
import { whenExiting } from "../when-exiting.ts";
import { hardwareOnly } from "./graphics.ts";
import { isInstalled } from "./packages.ts";

export type EngineName = "node-llama-cpp" | "wllama" | "onnxruntime-node" | "onnxruntime-web" | "transformers.js";

/** Variables for the child beside those it gets from this process. */
export type EngineVariables = Readonly<Record<string, string>>;

/**
 * Variables that engines and the libraries under them need to start and to find drivers. Everything else, secrets above all, stays here.
 * Windows cannot start programs without SystemRoot; drivers look for their folders and caches; GLIBC_TUNABLES and MALLOC_ decide how memory is taken.
 */
const passedVariables =
  /^(PATH|SystemRoot|windir|TEMP|TMP|TMPDIR|HOME|USERPROFILE|LOCALAPPDATA|LANG|LC_ALL|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|GLIBC_TUNABLES|XDG_RUNTIME_DIR|LLMSPELL_WASM_KERNELS|(CUDA|HIP|ROCR|NVIDIA|VK|GGML|MESA|MALLOC)_\w+)$/i;

/** node-llama-cpp computes in libuv's pool; with one thread there a token is drawn right behind its step (llama-steps.ts). Its own threads are others. */
const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
const oneWorker = isNode && { UV_THREADPOOL_SIZE: "1" };

/** Engines beside which little JavaScript runs. */
const onnxEngines: readonly EngineName[] = ["onnxruntime-node", "onnxruntime-web", "transformers.js"];

/**
 * What keeps the process of such an engine small: two heaps for all threads, where glibc has one for each, and 1 MB of JavaScript's objects between two
 * looks at which are needed, in place of 16. A T5 takes some 20 MB less, and answers as fast (docs/benchmarks.md).
 */
export const smallProcess: { readonly env: EngineVariables; readonly execArgv: readonly string[] } = {
  env: { MALLOC_ARENA_MAX: "2" },
  execArgv: isNode ? ["--max-semi-space-size=1"] : [],
};

/** The one that was started ahead, until somebody takes it. It ends with this process. */
let ahead: { readonly child: ChildProcess; readonly forget: () => void; readonly key: string } | undefined;

const keyOf = (engine: EngineName, env: EngineVariables): string => JSON.stringify([engine, env]);

/**
 * Starts the process of the engine that computes GGUF models on the processor, while the configuration is still read.
 * @param device that is asked for: for `auto`, drivers that play graphics cards are kept out of its sight
 */
export function prepareEngine(device: "auto" | "cpu"): void {
  const engine = "node-llama-cpp";
  if (ahead !== undefined || !isInstalled(engine)) return;
  const env = device === "auto" ? hardwareOnly : {};
  let child: ChildProcess;
  try {
    child = start(engine, env);
  } catch {
    return; // whoever needs it meets the same obstacle and reports it
  }
  for (const end of [child, child.channel]) end?.unref();
  ahead = { child, key: keyOf(engine, env), forget: whenExiting(() => child.kill("SIGKILL")) };
}

/** The one that was started ahead, if it fits, or another. @throws SpellError device-unavailable where Node may start no processes */
export function forkEngine(engine: EngineName, env: EngineVariables = {}): ChildProcess {
  const ready = ahead;
  if (ready === undefined || ready.key !== keyOf(engine, env) || !ready.child.connected) return start(engine, env);
  ahead = undefined;
  ready.forget();
  return ready.child;
}

function start(engine: EngineName, env: EngineVariables): ChildProcess {
  const small = onnxEngines.includes(engine) ? smallProcess : undefined;
  const passed = Object.fromEntries(Object.entries(process.env).filter(([name]) => passedVariables.test(name)));
  return allowed(engine, () =>
    fork(builtFile("engines/engine-child"), [engine], {
      env: {
        ...small?.env,
        ...passed,
        ...(engine === "node-llama-cpp" && oneWorker),
        ...env,
        LLMSPELL_HOME: homeFolder(),
      },
      cwd: childFolder(),
      // not the parent's: --inspect would fight for its port, a test runner's loaders have no business there
      execArgv: [...packageArguments(), ...(small?.execArgv ?? [])],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // Ctrl-C in a terminal goes to the whole group; this child ends with its parent's channel instead.
      detached: true,
    }),
  );
}

/** @throws SpellError device-unavailable under Node's permission model, which has to allow processes */
function allowed(engine: EngineName, begin: () => ChildProcess): ChildProcess {
  try {
    return begin();
  } catch (cause) {
    if (errnoOf(cause) !== "ERR_ACCESS_DENIED") throw cause;
    throw new SpellError("device-unavailable", `${engine} needs a process of its own; expected Node's permission to start one, got none`, {
      hint: "Allow child processes: start Node with --allow-child-process beside --permission.",
      actions: [],
      details: { reason: "permission" },
      cause,
    });
  }
}
