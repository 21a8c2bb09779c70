/**
 * The one way around every call of an agent, a tool, a workflow and its stages in a script: hooks before and behind it, events of how long it took, and a record
 * in the current session.
 */
import { messageOf, SpellError, toSpellError } from "../errors.ts";
import type { LogEntry } from "../platform.ts";
import type { HookData, HookOutcome, HookPoint, Hooks } from "./hooks.ts";

export type WatchedKind = "agent" | "tool" | "workflow" | "stage";

export interface WatchedCall<I, O> {
  readonly kind: WatchedKind;
  readonly name: string;
  /** as scripts see it: data */
  readonly input: I;
  /** What calls functions of the script during this call (CallKept). The same object within each other tells which call another was made in. */
  readonly context?: unknown;
  /** The same call of another component, for hooks that redirect. Absent: hooks cannot. */
  readonly redirect?: ((target: string, input: I) => Promise<O>) | undefined;
  /** Of what a hook puts in place of the output; `own` is what the call gave, where it gave something. Throws for what cannot be one. Default: as it is */
  readonly asOutput?: ((output: unknown, own: O | undefined) => O) | undefined;
  /** The output as hooks see it. Default: as it is */
  readonly shown?: ((output: O) => unknown) | undefined;
  /** Facts for a later replay, read at the end. */
  readonly about?: ((output: O | undefined) => Readonly<Record<string, unknown>>) | undefined;
}

/** @throws whatever `run` throws; SpellError hook-cancelled */
export type Watch = <I, O>(call: WatchedCall<I, O>, run: (input: I) => Promise<O>) => Promise<O>;

/** One call in the record of a session. */
export interface Recorder {
  /** of the session */
  readonly sessionId: string;
  end(record: {
    readonly input: unknown;
    readonly output?: unknown;
    readonly error?: { readonly code: string; readonly message: string } | undefined;
    readonly ms: number;
    readonly startedAt: string;
    readonly within?: number | undefined;
    readonly about?: Readonly<Record<string, unknown>> | undefined;
  }): Promise<void>;
  readonly call: number;
}

export interface WatchHost {
  readonly hooks: Hooks;
  /** milliseconds, monotonic */
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
  /** Told of each call at its end; absent: `events.emit_timing_events` is off. */
  readonly onTiming?: ((type: string, data: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Begins a record in the current session; undefined: there is none. */
  readonly record?: ((kind: "agent" | "tool", name: string) => Promise<Recorder | undefined>) | undefined;
  /** After each hook. */
  readonly onRelease?: (() => void) | undefined;
}

const points: Readonly<Record<WatchedKind, { readonly before: HookPoint; readonly after: HookPoint; readonly failed: HookPoint }>> = {
  agent: { before: "BeforeAgentExecution", after: "AfterAgentExecution", failed: "AgentError" },
  tool: { before: "BeforeToolExecution", after: "AfterToolExecution", failed: "ToolError" },
  workflow: { before: "BeforeWorkflowStart", after: "AfterWorkflowComplete", failed: "WorkflowError" },
  stage: { before: "BeforeWorkflowStage", after: "AfterWorkflowStage", failed: "WorkflowError" },
};

export interface Watcher {
  readonly watch: Watch;
  /** A point without a call of its own: agents are made and destroyed. @throws SpellError hook-cancelled, at points before something */
  tell(point: HookPoint, component: HookData["component"], input: unknown, context?: unknown): Promise<void>;
  /** Whether hooks behind a call may put another output in place of what it gives, or call again. */
  mayChange(kind: WatchedKind, context: unknown): boolean;
  /** A hook runs: events wait. */
  readonly isInHook: boolean;
}

export function createWatcher({ hooks, now, log, onTiming, record, onRelease }: WatchHost): Watcher {
  /** Contexts of calls that hooks made: no hook fires for them, and for what they call. */
  const quiet = new WeakSet<object>();
  /** Contexts of other calls, with their number in the session. */
  const known = new WeakMap<object, number | undefined>();
  let isInHook = false;
  /** Hooks run one at a time. */
  let turn: Promise<unknown> = Promise.resolve();

  const isQuiet = (context: unknown): boolean => {
    if (typeof context !== "object" && typeof context !== "function") return isInHook;
    if (context === null || context === undefined) return isInHook;
    if (quiet.has(context)) return true;
    if (isInHook && !known.has(context)) quiet.add(context);
    else known.set(context, known.get(context));
    return quiet.has(context);
  };
  const fire = (data: HookData, context: unknown): Promise<HookOutcome> => {
    if (!hooks.has(data.point)) return Promise.resolve({ type: "continue", data });
    const fired = turn.then(async () => {
      isInHook = true;
      try {
        return await hooks.fire(data, context);
      } finally {
        isInHook = false;
        onRelease?.();
      }
    });
    turn = fired.catch(() => undefined);
    return fired;
  };

  return {
    get isInHook() {
      return isInHook;
    },
    mayChange: (kind, context) => !isQuiet(context) && (hooks.has(points[kind].after) || hooks.has(points[kind].failed)),
    async tell(point, component, input, context) {
      if (isQuiet(context)) return;
      const outcome = await fire({ point, component, input, attempt: 1 }, context);
      if (outcome.type === "cancel" && point.startsWith("Before")) throw cancelled(component.type, component.name, outcome.reason);
    },
    async watch<I, O>(call: WatchedCall<I, O>, run: (input: I) => Promise<O>): Promise<O> {
      const { kind, name, context, redirect, asOutput = (output: unknown) => output as O, shown = (output: O): unknown => output } = call;
      const { before, after, failed } = points[kind];
      const mayFire = !isQuiet(context);
      const started = now();
      const startedAt = new Date().toISOString();
      const within = isObjectLike(context) ? known.get(context) : undefined;
      const recorder = kind === "agent" || kind === "tool" ? await begun(kind, name) : undefined;
      if (recorder !== undefined && isObjectLike(context)) known.set(context, recorder.call);
      const sessionId = recorder?.sessionId;
      let input = call.input;
      const about = (point: HookPoint, attempt: number, more: Partial<HookData> = {}): HookData => ({
        point,
        component: { type: kind, name },
        input,
        attempt,
        sessionId,
        ...more,
      });
      const decide = (data: HookData): Promise<HookOutcome> =>
        mayFire ? fire(data, context) : Promise.resolve({ type: "continue", data });

      const once = async (attempt: number): Promise<O> => {
        const asked = await decide(about(before, attempt));
        switch (asked.type) {
          case "continue":
            input = asked.data.input as I;
            break;
          case "cancel":
            throw cancelled(kind, name, asked.reason);
          case "replace":
            return asOutput(asked.output, undefined);
          case "skipped":
            return asOutput(undefined, undefined);
          case "redirect":
            if (redirect === undefined) throw cancelled(kind, name, `it cannot be redirected to ${asked.target}`);
            return redirect(asked.target, input);
          case "retry":
            break; // nothing was tried yet
        }
        return run(input);
      };
      const attempts = async (): Promise<O> => {
        for (let attempt = 1; ; attempt += 1) {
          let outcome: HookOutcome;
          let output: O | undefined;
          let seen: unknown;
          let problem: unknown;
          try {
            output = await once(attempt);
            seen = shown(output);
            outcome = await decide(about(after, attempt, { output: seen }));
          } catch (error) {
            problem = error;
            const told = toSpellError(error);
            if (told.code === "run-aborted" || told.code === "hook-cancelled") throw error;
            outcome = await decide(about(failed, attempt, { error: { code: told.code, message: told.message } }));
          }
          if (outcome.type === "retry" && attempt < outcome.maxAttempts) {
            const { delayMs } = outcome;
            if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
            continue;
          }
          if (outcome.type === "replace") return asOutput(outcome.output, output);
          if (outcome.type === "cancel") throw cancelled(kind, name, outcome.reason, problem);
          if (problem !== undefined) throw problem;
          return outcome.type === "continue" && outcome.data.output !== seen ? asOutput(outcome.data.output, output) : (output as O);
        }
      };
      const end = async (output: O | undefined, problem?: unknown): Promise<void> => {
        if (recorder !== undefined && isObjectLike(context)) known.set(context, within);
        const ms = now() - started;
        const error = problem === undefined ? undefined : { code: toSpellError(problem).code, message: messageOf(problem) };
        onTiming?.(`${kind}.${error === undefined ? "completed" : "failed"}`, {
          name,
          ms,
          ...(error !== undefined && { code: error.code }),
        });
        await recorder?.end({ input, output, error, ms, startedAt, within, about: call.about?.(output) }).catch(unrecorded);
      };
      let output: O;
      try {
        output = await attempts();
      } catch (error) {
        await end(undefined, error);
        throw error;
      }
      await end(output);
      return output;
    },
  };

  /** A call does not fail because it could not be recorded. */
  async function begun(kind: "agent" | "tool", name: string): Promise<Recorder | undefined> {
    try {
      return await record?.(kind, name);
    } catch (error) {
      unrecorded(error);
      return undefined;
    }
  }
  function unrecorded(error: unknown): void {
    log({ level: "warn", message: `a call is not recorded: ${messageOf(error)}` });
  }
}

function isObjectLike(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** @param cause what failed before, at points of errors */
function cancelled(kind: WatchedKind, name: string, reason: string, cause?: unknown): SpellError {
  const what = name === "" ? kind : `${kind} ${name}`;
  return new SpellError("hook-cancelled", `${what} was cancelled by a hook: ${reason}`, { where: name, details: { reason }, cause });
}
