/** `Workflow`, its builder and its objects. */
import { Agent } from "../../agents/agent.ts";
import type { Agents } from "../../agents/agents.ts";
import type { Watch } from "../../events/watch.ts";
import type { Toolbox } from "../../toolbox/toolbox.ts";
import { definedOnly, toSnake } from "../../values.ts";
import { wrong } from "../../workflow/read.ts";
import { type WorkflowResult, type WorkflowStep, type WorkflowType, workflowTypes } from "../../workflow/types.ts";
import { Workflow } from "../../workflow/workflow.ts";
import { createWorkflows, WorkflowBuilder, type Workflows } from "../../workflow/workflows.ts";
import { any, type CallKept, instance, integer, KeptFunction, number, optional, text } from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions, waits } from "../bind.ts";
import type { ScriptRun } from "./host.ts";

const builder = instance("builder", WorkflowBuilder, "WorkflowBuilder");
const workflow = instance("workflow", Workflow, "Workflow");
const keeps = { keeps: true } as const;

/** Workflows of a run: their tools, agents and functions are those of the script. @param ask an agent as its own execute() is asked */
export function workflowsOf(
  { spell, signal }: Pick<ScriptRun, "spell" | "signal">,
  toolbox: Toolbox,
  agents: Agents,
  watch: Watch,
  ask: (agent: Agent, input: unknown, context: CallKept) => Promise<unknown>,
): Workflows {
  return createWorkflows({
    now: spell.platform.now,
    signal,
    tool: (name, input, { signal: own, context }) =>
      watch({ kind: "tool", name, input, context }, (given) => toolbox.execute(name, given, { signal: own })),
    agent(given, input, { context }) {
      const found = given instanceof Agent ? given : typeof given === "string" ? agents.get(given) : undefined;
      if (found === undefined) throw wrong("agent", "an agent, or the name of one", given);
      return ask(found, input, context as CallKept);
    },
    call: (own, scope, context) => (own instanceof KeptFunction ? (context as CallKept)(own, scope) : undefined),
    watch: (call, run) =>
      watch({ ...call, shown: call.kind === "workflow" ? (result) => shownResult(result as WorkflowResult) : undefined }, run),
  });
}

export function workflowGlobal(workflows: Workflows): ScriptFunctions {
  const make = (type: WorkflowType) =>
    now([any("config", "a table with steps")], (config) => workflows.create(asTable(config), type), keeps);
  return {
    builder: now([], () => workflows.builder()),
    ...Object.fromEntries(workflowTypes.map((type) => [type, make(type)])),
    list: now([], () => workflows.list().map(shownInfo)),
    get: now([text("name")], (name) => workflows.get(name)),
    remove: now([text("name")], (name) => workflows.remove(name)),
    types: now([], () => workflowTypes),
  };
}

/** A function that stands where a table has to, as what it is to whoever reads it. */
function asTable(given: unknown): unknown {
  return given instanceof KeptFunction ? () => undefined : given;
}

export const workflowBuilderClass: ScriptClass = {
  kind: WorkflowBuilder,
  methods: {
    ...Object.fromEntries(
      "name description type error_strategy max_attempts retry_delay_ms timeout_ms max_iterations max_concurrency"
        .split(" ")
        .map((name) => [name, now([builder, any("value")], (self, value) => self.set(camel(name), value))]),
    ),
    condition: now([builder, any("condition")], (self, value) => self.set("condition", value), keeps),
    add_step: now([builder, any("step")], (self, step) => self.add("steps", asTable(step)), keeps),
    add_then_step: now([builder, any("step")], (self, step) => self.add("thenSteps", asTable(step)), keeps),
    add_else_step: now([builder, any("step")], (self, step) => self.add("elseSteps", asTable(step)), keeps),
    with_range: now([builder, integer("start"), integer("end"), optional(number("step"))], (self, start, end, step = 1) =>
      self.set("range", { start, end, step }),
    ),
    with_collection: now([builder, any("items")], (self, items) => self.set("collection", items)),
    with_while: now([builder, any("condition")], (self, value) => self.set("while", value), keeps),
    build: now([builder], (self) => self.build()),
  },
};

export const workflowClass: ScriptClass = {
  kind: Workflow,
  methods: {
    execute: waits([workflow, optional(any("input"))], async (self, input = {}, context) =>
      shownResult(await self.execute(input, { context })),
    ),
    get_info: now([workflow], shownInfo),
    get_output: now([workflow, text("step")], (self, step) => self.last?.outputs[step]),
    get_all_outputs: now([workflow], (self) => self.last?.outputs ?? {}),
    get_state: now([workflow], (self) => self.state),
    // what is wrong was said when it was made
    validate: now([workflow], () => true),
  },
};

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function shownInfo({ settings, state }: Workflow) {
  const { name, description, type, steps, thenSteps, elseSteps } = settings;
  const shown = (list: readonly WorkflowStep[]) => list.map((step) => step.name);
  const branches = type === "conditional" ? { then_steps: shown(thenSteps), else_steps: shown(elseSteps) } : {};
  return { name, description, type, state, steps: shown(steps), ...branches };
}

/** Outputs are what tools and agents gave, and keep their names. */
function shownResult({ durationMs, steps, ...rest }: WorkflowResult) {
  return definedOnly({ ...rest, duration_ms: durationMs, steps: toSnake(steps) });
}
