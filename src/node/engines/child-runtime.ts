/**
 * A runtime over a child process that holds the engine: one child per loaded model, killed when the model is disposed.
 * An assert, a bad instruction, a bad file or a hang takes the child; here it becomes one typed error for each call that waited.
 * What is said between the two is in core/remote; what the child does is in engine-child.ts; which engine runs is decided in devices.ts.
 */
import { type CommonOpenOptions, RemoteEngine } from "../../core/remote/caller.ts";
import { blockingSilenceMs, type FromEngine, silenceMs } from "../../core/remote/protocol.ts";
import { type RemoteRuntime, remoteRuntime } from "../../core/remote/runtime.ts";
import { deferred } from "../../core/values.ts";
import { whenExiting } from "../when-exiting.ts";
import { type EngineName, type EngineVariables, forkEngine } from "./fork-engine.ts";

export interface ChildRuntimeOptions {
  readonly engine: EngineName;
  /** Variables for the child beside those it gets from this process. */
  readonly env?: EngineVariables | undefined;
  /** Longest load; default two minutes, and one more for each GiB, as a slow disk needs it. */
  readonly loadTimeoutMs?: number | undefined;
  /** Longest wait for the next piece, a prompt of any length included; default 15 minutes: beyond patience, short of for ever. */
  readonly pieceTimeoutMs?: number | undefined;
  /** Silence after which a child counts as dead while a call waits; default 10 s. Beats come each second. */
  readonly silenceMs?: number | undefined;
  /** Told the id of each child process as it starts. */
  readonly onSpawn?: ((pid: number) => void) | undefined;
}

/** How much of the child's last words an error carries. */
const stderrCharacters = 4000;

/**
 * @returns a runtime whose open() forks a child. `prepare()` starts the next child early: the engine loads while the caller reads the file's header.
 * Children hold the process open only while a call waits for them.
 */
export function childRuntime<OpenOptions extends CommonOpenOptions, CallOptions extends { readonly signal?: AbortSignal | undefined }>(
  options: ChildRuntimeOptions,
): RemoteRuntime<OpenOptions, CallOptions> {
  return remoteRuntime(options.engine, () => startChild(options));
}

/** @returns the caller's end of a new child; its death settles every call */
function startChild(options: ChildRuntimeOptions): RemoteEngine {
  const { engine } = options;
  const child = forkEngine(engine, options.env);
  const kill = (): void => void child.kill("SIGKILL");
  let isEnding = false;
  /** The child keeps this process alive while a call waits for it, and only then. */
  const hold = (busy: boolean): void => {
    if (isEnding) return; // whoever ends it waits for that
    // Bun's pipes and channels cannot be let go of; programs there end with dispose().
    const ends = [child, child.channel, child.stderr] as ({ ref?(): void; unref?(): void } | null | undefined)[];
    for (const end of ends) {
      if (busy) end?.ref?.();
      else end?.unref?.();
    }
  };
  let stderr = "";
  const exited = deferred();
  const remote = new RemoteEngine(
    {
      // The callback takes the error of a child that is gone; `exit` says so to everybody who waits.
      post: (message) => void (child.connected && child.send(message, () => undefined)),
      async end() {
        isEnding = true;
        child.ref();
        kill();
        await exited.promise;
      },
      hold,
    },
    {
      place: "process",
      ...options,
      silenceMs: options.silenceMs ?? (engine === "node-llama-cpp" || engine === "wllama" ? silenceMs : blockingSilenceMs),
      lastWords: () => stderr,
    },
  );

  const forget = whenExiting(kill);
  child.on("message", (message) => remote.receive(message as FromEngine));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-stderrCharacters);
  });
  let lateTimer: NodeJS.Timeout | undefined;
  const settle = (what: string, details: Readonly<Record<string, unknown>>): void => {
    clearTimeout(lateTimer);
    forget();
    remote.died(what, details);
    exited.resolve();
  };
  const onEnd = (exitCode: number | null, signal: NodeJS.Signals | null): void =>
    settle(signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`, { exitCode, signal });
  // `close` comes when its last words are read too; should something else hold that pipe, `exit` has to do.
  child.on("close", onEnd);
  child.on("exit", (exitCode, signal) => {
    lateTimer = setTimeout(onEnd, 200, exitCode, signal);
  });
  child.on("error", (error) => {
    if (child.pid === undefined) settle(`cannot be started: ${error.message}`, {});
  });
  hold(false);
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  return remote;
}
