/**
 * Steps in order, by a condition, again and again, or side by side. A step runs a tool, an agent or another workflow; what it may do is theirs to say. Steps of
 * everything that one call runs are counted together, and all of it ends with the caller's signal.
 */
import { SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import { within } from "../tools/loop.ts";
import { definedOnly } from "../values.ts";
import { fillIn, holds } from "./scope.ts";
import type { StepReport, WorkflowResult, WorkflowScope, WorkflowSettings, WorkflowStep } from "./types.ts";

/** What steps stand on. */
export interface WorkflowHost {
  readonly now: () => number;
  /** ends every run */
  readonly signal?: AbortSignal | undefined;
  tool(name: string, input: unknown, run: StepRun): Promise<unknown>;
  /** @param agent by its name, or itself @throws SpellError workflow-option for anything else */
  agent(agent: unknown, input: unknown, run: StepRun): Promise<unknown>;
  /** @param given by its name, itself, or as data @throws SpellError workflow-option for anything else */
  workflow(given: unknown): Workflow;
  /** Calls a function of the program or script. @returns undefined for anything but one */
  call(own: unknown, scope: WorkflowScope, context: unknown): Promise<unknown> | undefined;
  /** Around the whole, and around each step. */
  readonly watch?: (<O>(call: WatchedWork<O>, run: (input: unknown) => Promise<O>) => Promise<O>) | undefined;
}

export interface WatchedWork<O> {
  readonly kind: "workflow" | "stage";
  readonly name: string;
  readonly input: unknown;
  readonly context: unknown;
  /** Of what is put in place of the output; `own` is what came out, where something did. */
  readonly asOutput?: ((given: unknown, own: O | undefined) => O) | undefined;
}

export interface StepRun {
  readonly signal: AbortSignal;
  /** of the call of execute(), as it is */
  readonly context: unknown;
}

export interface WorkflowRunOptions {
  readonly signal?: AbortSignal | undefined;
  /** for agents, tools and functions, as it is */
  readonly context?: unknown;
}

/** Of everything that one call runs. */
interface Budget {
  steps: number;
  readonly depth: number;
}

interface Run extends StepRun {
  readonly budget: Budget;
  readonly reports: StepReport[];
  readonly outputs: Map<string, unknown>;
  readonly input: unknown;
}

export class Workflow {
  readonly settings: WorkflowSettings;
  readonly #host: WorkflowHost;
  #state: "ready" | "running" | "completed" | "failed" = "ready";
  #running = 0;
  #last: WorkflowResult | undefined;

  /** @param settings as readWorkflow() gave them */
  constructor(settings: WorkflowSettings, host: WorkflowHost) {
    this.settings = settings;
    this.#host = host;
  }

  get name(): string {
    return this.settings.name;
  }

  get state(): "ready" | "running" | "completed" | "failed" {
    return this.#running > 0 ? "running" : this.#state;
  }

  /** of the last run that came to its end */
  get last(): WorkflowResult | undefined {
    return this.#last;
  }

  /**
   * @throws SpellError workflow-failed and workflow-timeout with the step's own error as cause, workflow-limit, workflow-option, run-aborted, hook-cancelled
   */
  execute(input: unknown = {}, { signal, context }: WorkflowRunOptions = {}): Promise<WorkflowResult> {
    return this.run(input, { signal: signal ?? new AbortController().signal, context }, { steps: 0, depth: 1 });
  }

  /** @param budget of the call that this is a step of */
  async run(input: unknown, { signal, context }: StepRun, budget: Budget): Promise<WorkflowResult> {
    const { name, timeoutMs } = this.settings;
    if (budget.depth > limits.workflowDepth)
      throw limit(`expected workflows within workflows at most ${limits.workflowDepth} deep, got more`);
    const both = this.#host.signal === undefined ? signal : AbortSignal.any([signal, this.#host.signal]);
    const { watch = unwatched } = this.#host as Required<WorkflowHost>;
    this.#running += 1;
    try {
      throwIfAborted(both);
      const late = () =>
        new SpellError("workflow-timeout", `workflow ${name}: expected an end within ${timeoutMs} ms (timeout_ms), got none`, {
          where: "timeout_ms",
        });
      const asOutput = (given: unknown, own: WorkflowResult | undefined): WorkflowResult => this.#replaced(given, own);
      const result = await watch({ kind: "workflow", name, input, context, asOutput }, (given) =>
        timed(timeoutMs, both, late, (own) => this.#all({ signal: own, context, budget, reports: [], outputs: new Map(), input: given })),
      );
      this.#last = result;
      this.#state = "completed";
      return result;
    } catch (error) {
      this.#state = "failed";
      throw error;
    } finally {
      this.#running -= 1;
    }
  }

  /** A result with another output; of a result that was changed its outputs too. */
  #replaced(given: unknown, own: WorkflowResult | undefined): WorkflowResult {
    const { name, type } = this.settings;
    const result = own ?? { name, type, success: true, output: undefined, outputs: {}, steps: [], durationMs: 0 };
    if (!isObject(given) || typeof given["success"] !== "boolean" || !isObject(given["outputs"])) return { ...result, output: given };
    return { ...result, success: given["success"], output: given["output"], outputs: given["outputs"] };
  }

  async #all(run: Run): Promise<WorkflowResult> {
    const { name, type, steps, thenSteps, elseSteps, condition } = this.settings;
    const started = this.#host.now();
    let more: { readonly output: unknown; readonly iterations?: number; readonly branch?: "then" | "else" };
    if (type === "loop") more = await this.#loop(run);
    else if (type === "parallel") more = { output: await this.#together(run) };
    else if (type === "sequential") more = { output: await this.#inOrder(steps, run, {}) };
    else {
      const branch = (await this.#holds(condition, run, {})) ? "then" : "else";
      more = { branch, output: await this.#inOrder(branch === "then" ? thenSteps : elseSteps, run, {}) };
    }
    const success = run.reports.every((report) => report.success);
    const outputs = Object.fromEntries(run.outputs);
    return { name, type, success, ...more, outputs, steps: run.reports, durationMs: this.#host.now() - started };
  }

  async #inOrder(steps: readonly WorkflowStep[], run: Run, more: Partial<WorkflowScope>): Promise<unknown> {
    let previous: unknown;
    for (const step of steps) {
      const done = await this.#step(step, run, { ...more, ...(previous !== undefined && { previous }) });
      if (done !== undefined) previous = done.output;
    }
    return previous;
  }

  async #loop(run: Run): Promise<{ readonly output: unknown; readonly iterations: number }> {
    const { steps, range, collection, while: as, maxIterations } = this.settings;
    const items =
      range === undefined
        ? as === undefined
          ? asList(fillIn(collection, this.#scope(run, {})))
          : undefined
        : counted(range, maxIterations);
    if (as === undefined && !Array.isArray(items))
      throw new SpellError("workflow-failed", "collection: expected a list, got something else", { where: "collection" });
    const output: unknown[] = [];
    for (let index = 0; ; index += 1) {
      throwIfAborted(run.signal);
      const more = { index, ...(items !== undefined && { item: (items as readonly unknown[])[index] }) };
      const last = output.at(-1);
      const goesOn =
        items === undefined ? await this.#holds(as, run, { index, previous: last }) : index < (items as readonly unknown[]).length;
      if (!goesOn) return { output, iterations: index };
      if (index >= maxIterations)
        throw limit(`workflow ${this.name}: expected at most ${maxIterations} iterations (max_iterations), got more`);
      output.push((await this.#inOrder(steps, run, more)) ?? null);
    }
  }

  /** By step. The first failure ends the others, unless the workflow goes on. */
  async #together(run: Run): Promise<Readonly<Record<string, unknown>>> {
    const { steps, maxConcurrency } = this.settings;
    const ended = new AbortController();
    const own: Run = { ...run, signal: AbortSignal.any([run.signal, ended.signal]) };
    const waiting = [...steps];
    let failure: { readonly error: unknown } | undefined;
    const work = async (): Promise<void> => {
      for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
        try {
          await this.#step(step, own, {});
        } catch (error) {
          failure ??= { error };
          waiting.length = 0;
          ended.abort();
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxConcurrency, steps.length) }, work));
    throwIfAborted(run.signal);
    if (failure !== undefined) throw failure.error;
    return Object.fromEntries(steps.filter(({ name }) => run.outputs.has(name)).map(({ name }) => [name, run.outputs.get(name)]));
  }

  /** @returns undefined where it failed and the workflow goes on */
  async #step(step: WorkflowStep, run: Run, more: Partial<WorkflowScope>): Promise<{ readonly output: unknown } | undefined> {
    const { now } = this.#host;
    const { errorStrategy = this.settings.errorStrategy } = step;
    const kind = step.tool !== undefined ? "tool" : step.agent !== undefined ? "agent" : "workflow";
    const most = errorStrategy === "retry" ? this.settings.maxAttempts : 1;
    const started = now();
    const report = (attempts: number, error?: SpellError): void => {
      const problem = error === undefined ? {} : { error: { code: error.code, message: error.message } };
      const about = {
        name: step.name,
        kind,
        success: error === undefined,
        attempts,
        durationMs: now() - started,
        iteration: more.index,
      } as const;
      run.reports.push(definedOnly({ ...about, ...problem }) as StepReport);
    };
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(run.signal);
      run.budget.steps += 1;
      if (run.budget.steps > limits.workflowSteps) throw limit(`expected at most ${limits.workflowSteps} steps in one run, got more`);
      try {
        const output = (await this.#attempt(step, run, more)) ?? null;
        run.outputs.set(step.name, output);
        report(attempt);
        return { output };
      } catch (thrown) {
        throwIfAborted(run.signal);
        const error = toSpellError(thrown, "workflow-failed");
        // what more tries cannot mend
        const isFinal = error.code === "workflow-limit" || error.code === "workflow-option" || error.code === "run-aborted";
        if (!isFinal && attempt < most) {
          await pause(this.settings.retryDelayMs * 2 ** (attempt - 1), run.signal);
          continue;
        }
        report(attempt, error);
        if (!isFinal && errorStrategy === "continue") return undefined;
        if (isFinal) throw error;
        const code = error.code === "workflow-timeout" ? error.code : "workflow-failed";
        throw new SpellError(code, `workflow ${this.name}: step ${step.name}: ${error.message}`, {
          where: step.name,
          details: { step: step.name, code: error.code, attempts: attempt },
          cause: thrown,
        });
      }
    }
  }

  #attempt(step: WorkflowStep, run: Run, more: Partial<WorkflowScope>): Promise<unknown> {
    const { watch = unwatched } = this.#host as Required<WorkflowHost>;
    const { name, timeoutMs = this.settings.timeoutMs } = step;
    const input = step.input === undefined ? (more.previous ?? run.input) : fillIn(step.input, this.#scope(run, more));
    const late = () => new SpellError("workflow-timeout", `expected an end within ${timeoutMs} ms (timeout_ms), got none`, { where: name });
    return watch({ kind: "stage", name: `${this.name}.${name}`, input, context: run.context }, (given) =>
      timed(timeoutMs, run.signal, late, async (signal) => {
        const own = { signal, context: run.context };
        if (step.tool !== undefined) return this.#host.tool(step.tool, given, own);
        if (step.agent !== undefined) return this.#host.agent(step.agent, given, own);
        const budget = {
          depth: run.budget.depth + 1,
          get steps() {
            return run.budget.steps;
          },
          set steps(count) {
            run.budget.steps = count;
          },
        };
        return (await this.#host.workflow(step.workflow).run(given, own, budget)).output;
      }),
    );
  }

  #holds(condition: unknown, run: Run, more: Partial<WorkflowScope>): Promise<boolean> {
    const scope = this.#scope(run, more);
    return holds(condition, scope, (own) => this.#host.call(own, scope, run.context));
  }

  #scope(run: Run, more: Partial<WorkflowScope>): WorkflowScope {
    return definedOnly({ input: run.input, steps: Object.fromEntries(run.outputs), ...more }) as WorkflowScope;
  }
}

function unwatched<O>({ input }: WatchedWork<O>, run: (input: unknown) => Promise<O>): Promise<O> {
  return run(input);
}

/** An empty table of Lua is no list and no record: it comes as an object without members. */
function asList(items: unknown): unknown {
  return isObject(items) && Object.keys(items).length === 0 ? [] : items;
}

/** Numbers of a range, never more than one beyond the limit. */
function counted({ start, end, step }: NonNullable<WorkflowSettings["range"]>, most: number): readonly number[] {
  const count = Math.max(0, Math.floor((end - start) / step) + 1);
  return Array.from({ length: Math.min(count, most + 1) }, (_, i) => start + i * step);
}

/** @throws what `late` makes where the time is over; run-aborted; of `work` */
async function timed<T>(ms: number, outer: AbortSignal, late: () => SpellError, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  let isLate = false;
  return within(ms, outer, (signal) => {
    signal.addEventListener("abort", () => (isLate = !outer.aborted), { once: true });
    return work(signal);
  }).catch((error: unknown) => {
    throwIfAborted(outer);
    throw isLate ? late() : error;
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}

function limit(message: string): SpellError {
  return new SpellError("workflow-limit", message);
}
