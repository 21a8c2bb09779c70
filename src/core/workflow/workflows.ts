/** Workflows by their names, and what makes them. */
import { isObject } from "../json.ts";
import { readStep, readWorkflow, wrong } from "./read.ts";
import type { WorkflowStep, WorkflowType } from "./types.ts";
import { Workflow, type WorkflowHost } from "./workflow.ts";

/** What workflows need of a program or script; other workflows they find themselves. */
export type WorkflowsHost = Omit<WorkflowHost, "workflow">;

export interface Workflows {
  builder(): WorkflowBuilder;
  /** @param type where the data does not say it @throws SpellError workflow-option */
  create(given: unknown, type?: WorkflowType): Workflow;
  get(name: string): Workflow | undefined;
  /** in the order they were made */
  list(): readonly Workflow[];
  /** @returns whether it was there */
  remove(name: string): boolean;
}

export function createWorkflows(host: WorkflowsHost): Workflows {
  const made = new Map<string, Workflow>();
  const build = (given: unknown, type?: WorkflowType): Workflow => new Workflow(readWorkflow(given, type), { ...host, workflow: find });
  const find = (given: unknown): Workflow => {
    if (given instanceof Workflow) return given;
    const known = typeof given === "string" ? made.get(given) : undefined;
    if (known !== undefined) return known;
    if (isObject(given)) return build(given, "sequential");
    throw wrong("workflow", "the name of a workflow, or one", given);
  };
  const create: Workflows["create"] = (given, type) => {
    const workflow = build(given, type);
    if (made.has(workflow.name)) throw wrong("name", "a name that no workflow has", workflow.name);
    made.set(workflow.name, workflow);
    return workflow;
  };
  return {
    builder: () => new WorkflowBuilder(create),
    create,
    get: (name) => made.get(name),
    list: () => [...made.values()],
    remove: (name) => made.delete(name),
  };
}

/** Collects settings; each call gives the builder again. */
export class WorkflowBuilder {
  #settings: Readonly<Record<string, unknown>> = {};
  readonly #make: (given: unknown) => Workflow;

  constructor(make: (given: unknown) => Workflow) {
    this.#make = make;
  }

  set(name: string, value: unknown): this {
    this.#settings = { ...this.#settings, [name]: value };
    return this;
  }

  /** @throws SpellError workflow-option */
  add(list: "steps" | "thenSteps" | "elseSteps", step: unknown): this {
    const before = (this.#settings[list] ?? []) as readonly WorkflowStep[];
    return this.set(list, [...before, readStep(step, `${list}[${before.length}]`)]);
  }

  /** The type that the settings are of, where none was said. @throws SpellError workflow-option */
  build(): Workflow {
    const has = (name: string): boolean => this.#settings[name] !== undefined;
    const type = has("condition") ? "conditional" : has("range") || has("collection") || has("while") ? "loop" : "sequential";
    return this.#make({ type, ...this.#settings });
  }
}
