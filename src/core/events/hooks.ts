/** Hooks: functions of a script that see calls of agents, tools and workflows before and after, and may change them. */

import { bucket } from "../bucket.ts";
import type { Config } from "../config/config.generated.ts";
import { switchOn } from "../config/switch-on.ts";
import { messageOf, SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { LogEntry } from "../platform.ts";

export const hookPoints = [
  "BeforeAgentInit",
  "AfterAgentInit",
  "BeforeAgentExecution",
  "AfterAgentExecution",
  "AgentError",
  "BeforeAgentShutdown",
  "AfterAgentShutdown",
  "BeforeToolExecution",
  "AfterToolExecution",
  "ToolError",
  "BeforeWorkflowStart",
  "AfterWorkflowComplete",
  "BeforeWorkflowStage",
  "AfterWorkflowStage",
  "WorkflowError",
] as const;
export type HookPoint = (typeof hookPoints)[number];

/** The first comes first; of equal ones the one that was registered first. */
export const hookPriorities = ["highest", "high", "normal", "low", "lowest"] as const;
export type HookPriority = (typeof hookPriorities)[number];

/** What a hook is told. Data only: a copy. */
export interface HookData {
  readonly point: HookPoint;
  readonly component: { readonly type: "agent" | "tool" | "workflow" | "stage"; readonly name: string };
  readonly input: unknown;
  /** of points behind a call */
  readonly output?: unknown;
  /** of points of errors */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** from 1; more after a retry */
  readonly attempt: number;
  readonly sessionId?: string | undefined;
}

/** What the hooks of a point decided together. */
export type HookOutcome =
  /** with the input or output as they changed it */
  | { readonly type: "continue"; readonly data: HookData }
  | { readonly type: "cancel"; readonly reason: string }
  /** the call is not made, and gives this */
  | { readonly type: "replace"; readonly output: unknown }
  /** another component of the same kind is called instead */
  | { readonly type: "redirect"; readonly target: string }
  | { readonly type: "retry"; readonly delayMs: number; readonly maxAttempts: number }
  /** the call is not made, and gives nothing */
  | { readonly type: "skipped" };

export interface HookFacts {
  readonly id: number;
  readonly point: HookPoint;
  readonly priority: HookPriority;
}

/** @param context of the call that fires it: what calls functions of the script */
export type HookFunction = (data: HookData, context: unknown) => unknown;

export interface Hooks {
  /** the longest that one hook may take */
  readonly timeoutMs: number;
  /** @throws SpellError hook-disabled, run-option */
  register(point: string, run: HookFunction, priority?: HookPriority): HookFacts;
  /** @throws SpellError hook-disabled */
  list(filter?: { readonly point?: string | undefined; readonly priority?: HookPriority | undefined }): readonly HookFacts[];
  /** @returns whether it was there @throws SpellError hook-disabled */
  unregister(id: number): boolean;
  /** Whether anything may happen at a point; false where hooks are switched off. */
  has(point: HookPoint): boolean;
  /** Calls the hooks of a point, one after the other. One that fails, or is late, is logged and passed over. */
  fire(data: HookData, context: unknown): Promise<HookOutcome>;
}

export interface HooksHost {
  /** milliseconds, monotonic */
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
}

const mostAttempts = 10;
const longestDelayMs = 60_000;

export function createHooks(settings: Config["hooks"], { now, log }: HooksHost): Hooks {
  const hooks: (HookFacts & { readonly run: HookFunction })[] = [];
  const mayCall = bucket(settings.rate_limit_per_minute, 60_000, now);
  let serial = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;

  const need = (): void => {
    if (settings.enabled) return;
    throw new SpellError("hook-disabled", "Hook is switched off: hooks.enabled is false", {
      where: "hooks.enabled",
      actions: switchOn("hooks.enabled", "sessions"),
    });
  };
  const warn = (message: string): void => log({ level: "warn", message });
  const call = async (
    { id, point, run }: HookFacts & { readonly run: HookFunction },
    data: HookData,
    context: unknown,
  ): Promise<unknown> => {
    if (!mayCall()) {
      if (now() - warnedAt >= 60_000)
        warn(`hooks are left out: more than ${settings.rate_limit_per_minute} calls a minute (hooks.rate_limit_per_minute)`);
      if (now() - warnedAt >= 60_000) warnedAt = now();
      return undefined;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no result within ${settings.timeout_ms} ms (hooks.timeout_ms)`)), settings.timeout_ms);
    });
    try {
      return await Promise.race([Promise.resolve(run(structuredClone(data), context)), late]);
    } catch (error) {
      warn(`hook ${id} of ${point} is passed over: ${messageOf(error)}`);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    timeoutMs: settings.timeout_ms,
    register(point, run, priority = "normal") {
      need();
      if (!isPoint(point)) {
        throw new SpellError(
          "run-option",
          `point: expected a hook point, got ${JSON.stringify(point.slice(0, 60))}${didYouMean(nearest(point, hookPoints))}`,
          {
            where: "point",
            hint: `Points: ${hookPoints.join(", ")}.`,
          },
        );
      }
      if (hooks.length >= limits.hooks)
        throw new SpellError("run-option", `expected at most ${limits.hooks} hooks, got one more`, { where: "point" });
      const facts: HookFacts = { id: ++serial, point, priority };
      hooks.push({ ...facts, run });
      hooks.sort((a, b) => hookPriorities.indexOf(a.priority) - hookPriorities.indexOf(b.priority) || a.id - b.id);
      return facts;
    },
    list({ point, priority } = {}) {
      need();
      return hooks
        .filter((each) => (point === undefined || each.point === point) && (priority === undefined || each.priority === priority))
        .map(({ run: _, ...facts }) => facts);
    },
    unregister(id) {
      need();
      const at = hooks.findIndex((each) => each.id === id);
      if (at >= 0) hooks.splice(at, 1);
      return at >= 0;
    },
    has: (point) => settings.enabled && hooks.some((each) => each.point === point),
    async fire(given, context) {
      let data = given;
      for (const hook of hooks.filter((each) => each.point === given.point)) {
        const outcome = readResult(await call(hook, data, context), data);
        if (typeof outcome === "string") warn(`hook ${hook.id} of ${hook.point} is passed over: ${outcome}`);
        else if (outcome.type !== "continue") return outcome;
        else data = outcome.data;
      }
      return { type: "continue", data };
    },
  };
}

function isPoint(text: string): text is HookPoint {
  return (hookPoints as readonly string[]).includes(text);
}

type Decision = HookOutcome["type"] | "modified";

/** What hooks of a point may decide. */
function mayDecide(point: HookPoint): readonly Decision[] {
  const isBefore = point.startsWith("Before");
  if (/Agent(?:Init|Shutdown)$/.test(point)) return isBefore ? ["continue", "cancel"] : ["continue"];
  if (isBefore) return ["continue", "modified", "cancel", "replace", "skipped", "redirect"];
  return ["continue", ...(point.startsWith("After") ? (["modified"] as const) : []), "cancel", "replace", "retry"];
}

/** @returns text: what is wrong with the result */
function readResult(result: unknown, data: HookData): HookOutcome | string {
  const outcome = resultOf(result, data);
  const told = typeof outcome === "string" ? undefined : outcome.type;
  const decision = isObject(result) && result["type"] === "modified" ? "modified" : told;
  const allowed = mayDecide(data.point);
  return decision === undefined || allowed.includes(decision) ? outcome : `${decision}: expected ${allowed.join(", ")} at this point`;
}

function resultOf(result: unknown, data: HookData): HookOutcome | string {
  if (result === undefined || result === null || result === "continue") return { type: "continue", data };
  if (result === "skip") return { type: "skipped" };
  if (typeof result === "string") return { type: "cancel", reason: result || noReason };
  if (!isObject(result)) return `expected a text or a table with type, got a ${typeof result}`;
  const { type } = result;
  switch (type) {
    case "continue":
      return { type: "continue", data };
    case "skip":
    case "skipped":
      return { type: "skipped" };
    case "modified":
      return modified(result["data"], data);
    case "cancel":
      return { type: "cancel", reason: typeof result["reason"] === "string" ? result["reason"] || noReason : noReason };
    case "replace":
      return { type: "replace", output: result["data"] };
    case "redirect":
      return typeof result["target"] === "string"
        ? { type: "redirect", target: result["target"] }
        : "redirect: expected a target, got none";
    case "retry":
      return {
        type: "retry",
        delayMs: Math.min(longestDelayMs, numberOr(result["delay_ms"], 0)),
        maxAttempts: Math.min(mostAttempts, numberOr(result["max_attempts"], 3)),
      };
    default:
      return `expected type modified, cancel, redirect, replace, retry or skipped, got ${JSON.stringify(type ?? null).slice(0, 60)}`;
  }
}

const noReason = "it gives no reason";

/** Behind a call its output can be changed, before it its input; nothing else. */
function modified(change: unknown, data: HookData): HookOutcome | string {
  const key = data.point.startsWith("After") ? "output" : "input";
  if (!isObject(change) || !Object.hasOwn(change, key)) return `modified: expected data with ${key}, got none`;
  return { type: "continue", data: { ...data, [key]: change[key] } };
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : fallback;
}
