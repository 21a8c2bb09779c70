/** A workflow as it is written → its settings. Everything is looked at before anything runs. */
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import { limits } from "../limits.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { toCamel } from "../values.ts";
import { comparisons, errorStrategies, type WorkflowSettings, type WorkflowStep, type WorkflowType, workflowTypes } from "./types.ts";

type Table = Readonly<Record<string, unknown>>;

const names = [
  ..."name description type steps condition thenSteps elseSteps range collection while maxIterations maxConcurrency".split(" "),
  ..."errorStrategy maxAttempts retryDelayMs timeoutMs".split(" "),
];
const stepNames = "name type tool agent workflow input timeoutMs errorStrategy".split(" ");
/** Seconds in a day, in milliseconds. */
const mostMs = 86_400_000;

/** @param usual where the table does not say its type @throws SpellError workflow-option */
export function readWorkflow(given: unknown, usual?: WorkflowType): WorkflowSettings {
  const table = readTable(given, "workflow", names);
  const type = oneOf(table["type"] ?? usual, "type", workflowTypes);
  const steps = readSteps(table["steps"], "steps");
  const [thenSteps, elseSteps] = [readSteps(table["thenSteps"], "then_steps"), readSteps(table["elseSteps"], "else_steps")];
  const settings: WorkflowSettings = {
    name: text(table["name"] ?? `workflow_${crypto.randomUUID().slice(0, 8)}`, "name", 100),
    description: text(table["description"] ?? "", "description", 10_000),
    type,
    steps,
    condition: table["condition"] as WorkflowSettings["condition"],
    thenSteps,
    elseSteps,
    range: table["range"] === undefined ? undefined : readRange(table["range"]),
    collection: table["collection"],
    while: table["while"] as WorkflowSettings["while"],
    maxIterations: integer(table["maxIterations"] ?? limits.workflowIterations, "max_iterations", 1, 1_000_000),
    maxConcurrency: integer(table["maxConcurrency"] ?? 4, "max_concurrency", 1, 64),
    errorStrategy: oneOf(table["errorStrategy"] ?? "fail_fast", "error_strategy", errorStrategies),
    maxAttempts: integer(table["maxAttempts"] ?? 3, "max_attempts", 1, 100),
    retryDelayMs: integer(table["retryDelayMs"] ?? 100, "retry_delay_ms", 0, mostMs),
    timeoutMs: integer(table["timeoutMs"] ?? 300_000, "timeout_ms", 1, mostMs),
  };
  checkParts(settings);
  return settings;
}

/** What each type needs, and what it has no use for. */
function checkParts({ type, steps, thenSteps, elseSteps, condition, range, collection, while: as }: WorkflowSettings): void {
  const all = type === "conditional" ? [...thenSteps, ...elseSteps] : steps;
  if (all.length === 0) throw wrong(type === "conditional" ? "then_steps" : "steps", "at least one step", undefined);
  const twice = (list: readonly WorkflowStep[]) => list.map(({ name }) => name).find((name, i, own) => own.indexOf(name) < i);
  const same = twice(steps) ?? twice(thenSteps) ?? twice(elseSteps);
  if (same !== undefined) throw wrong("steps", "a name of its own for each step", same);
  if ((type === "conditional") !== (condition !== undefined))
    throw wrong("condition", type === "conditional" ? "one" : `none for ${type}`, condition);
  checkComparison(condition);
  const sources = [range, collection, as].filter((source) => source !== undefined).length;
  if (type === "loop" && sources !== 1) throw wrong("loop", "one of range, collection, while", `${sources} of them`);
  if (type !== "loop" && sources > 0) throw wrong(type, "no range, collection or while", "one");
  if (type !== "conditional" && thenSteps.length + elseSteps.length > 0) throw wrong(type, "no then_steps and else_steps", "some");
}

/** @throws SpellError workflow-option for a table of a comparison that there is not */
function checkComparison(condition: unknown): void {
  if (!isObject(condition)) return;
  const { is = "equals" } = condition;
  if (!comparisons.some((known) => known === is)) throw wrong("condition.is", comparisons.join(", "), is);
}

/** @throws SpellError workflow-option */
export function readStep(given: unknown, where: string): WorkflowStep {
  const table = readTable(given, where, stepNames);
  const { tool, agent, workflow, input, timeoutMs, errorStrategy, type } = table;
  const kinds = (["tool", "agent", "workflow"] as const).filter((kind) => table[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1)
    throw wrong(where, "one of tool, agent, workflow", kinds.length === 0 ? undefined : kinds.join(" and "));
  if (type !== undefined && type !== kind) throw wrong(`${where}.type`, kind, type);
  if (tool !== undefined && typeof tool !== "string") throw wrong(`${where}.tool`, "the name of a tool", tool);
  return {
    name: text(table["name"] ?? (typeof table[kind] === "string" ? table[kind] : undefined), `${where}.name`, 100),
    tool: tool as string | undefined,
    agent,
    workflow,
    input,
    timeoutMs: timeoutMs === undefined ? undefined : integer(timeoutMs, `${where}.timeout_ms`, 1, mostMs),
    errorStrategy: errorStrategy === undefined ? undefined : oneOf(errorStrategy, `${where}.error_strategy`, errorStrategies),
  };
}

function readSteps(given: unknown, where: string): readonly WorkflowStep[] {
  const list = given === undefined || (isObject(given) && Object.keys(given).length === 0) ? [] : given;
  if (!Array.isArray(list)) throw wrong(where, "a list of steps", given);
  if (list.length > limits.workflowSteps) throw wrong(where, `at most ${limits.workflowSteps} steps`, list.length);
  return list.map((step, i) => readStep(step, `${where}[${i}]`));
}

function readRange(given: unknown) {
  // `end` is a word of Lua
  const { start = 1, end, from = start, to = end, step = 1 } = readTable(given, "range", ["from", "to", "step", "start", "end"]);
  const whole = (value: unknown, name: string) => integer(value, `range.${name}`, -1e9, 1e9);
  const read = { start: whole(from, "from"), end: whole(to, "to"), step: whole(step, "step") };
  if (read.step === 0) throw wrong("range.step", "a step that is not 0", 0);
  return read;
}

function readTable(given: unknown, where: string, known: readonly string[]): Table {
  if (!isObject(given)) throw wrong(where, "a table", given);
  const table = toCamel(given);
  const unknown = Object.keys(table).find((name) => !known.includes(name));
  if (unknown === undefined) return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== null));
  throw new SpellError("workflow-option", `${where} has no ${unknown.slice(0, 60)}${didYouMean(nearest(unknown, known))}`, {
    where: unknown.slice(0, 60),
    hint: `Names: ${known.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join(", ")}.`,
  });
}

function text(value: unknown, where: string, most: number): string {
  const isFine = typeof value === "string" && value.length <= most && (value.length > 0 || where === "description");
  if (!isFine) throw wrong(where, `text of 1–${most} characters`, value);
  return value;
}

function integer(value: unknown, where: string, least: number, most: number): number {
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most)
    throw wrong(where, `a whole number from ${least} to ${most}`, value);
  return Number(value);
}

function oneOf<T extends string>(value: unknown, where: string, words: readonly T[]): T {
  const found = words.find((word) => word === value);
  if (found === undefined) throw wrong(where, words.join(", "), value);
  return found;
}

export function wrong(where: string, expected: string, got: unknown): SpellError {
  const said = typeof got === "object" && got !== null && !Array.isArray(got) ? "a table" : shown(got ?? undefined);
  return new SpellError("workflow-option", `${where}: expected ${expected}, got ${said}`, { where });
}
