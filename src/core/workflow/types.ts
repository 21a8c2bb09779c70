/** Workflows as data. Types only. Names in camelCase; scripts and files write them in snake_case, which is read too. */

export const workflowTypes = ["sequential", "conditional", "loop", "parallel"] as const;
export type WorkflowType = (typeof workflowTypes)[number];

/** What happens when a step fails: the workflow ends; it goes on and says so; the step is tried again, then the workflow ends. */
export const errorStrategies = ["fail_fast", "continue", "retry"] as const;
export type ErrorStrategy = (typeof errorStrategies)[number];

export const comparisons = ["equals", "not_equals", "greater", "less", "contains", "exists"] as const;

/** A function of a program or script: it gets the scope. Also true or false, a `{{path}}` whose value counts as the language of scripts has it, or a comparison. */
export type Condition =
  | boolean
  | string
  | { readonly value: unknown; readonly is?: (typeof comparisons)[number] | undefined; readonly to?: unknown }
  | ((scope: WorkflowScope) => unknown)
  | object;

/** What runs one thing: a tool by its name, an agent or a workflow by its name or itself. */
export interface WorkflowStep {
  /** of its own within the workflow */
  readonly name: string;
  readonly tool?: string | undefined;
  readonly agent?: unknown;
  readonly workflow?: unknown;
  /** data in which `{{path}}` stands for a value of the scope; default: the input of the workflow */
  readonly input?: unknown;
  readonly timeoutMs?: number | undefined;
  /** default: that of the workflow */
  readonly errorStrategy?: ErrorStrategy | undefined;
}

export interface WorkflowSettings {
  readonly name: string;
  readonly description: string;
  readonly type: WorkflowType;
  readonly steps: readonly WorkflowStep[];
  readonly condition?: Condition | undefined;
  readonly thenSteps: readonly WorkflowStep[];
  readonly elseSteps: readonly WorkflowStep[];
  /** both ends count */
  readonly range?: { readonly start: number; readonly end: number; readonly step: number } | undefined;
  /** a list, or a `{{path}}` that leads to one */
  readonly collection?: unknown;
  readonly while?: Condition | undefined;
  readonly maxIterations: number;
  /** steps at once */
  readonly maxConcurrency: number;
  readonly errorStrategy: ErrorStrategy;
  /** of the strategy `retry`: tries of a step in all */
  readonly maxAttempts: number;
  /** wait before the second try; each further one waits twice as long */
  readonly retryDelayMs: number;
  /** of the whole */
  readonly timeoutMs: number;
}

/** What `{{path}}` leads into: `{{input.text}}`, `{{steps.first.result}}`, `{{previous.result}}`, `{{item}}`, `{{index}}`. */
export interface WorkflowScope {
  readonly input: unknown;
  /** output of the step before */
  readonly previous?: unknown;
  readonly steps: Readonly<Record<string, unknown>>;
  /** of a loop */
  readonly item?: unknown;
  /** of a loop, from 0 */
  readonly index?: number | undefined;
}

export interface StepReport {
  readonly name: string;
  readonly kind: "tool" | "agent" | "workflow";
  readonly success: boolean;
  /** tries */
  readonly attempts: number;
  readonly durationMs: number;
  /** of a loop, from 0 */
  readonly iteration?: number | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

export interface WorkflowResult {
  readonly name: string;
  readonly type: WorkflowType;
  /** false where a step failed and the workflow went on */
  readonly success: boolean;
  /** of the last step that gave one; of a loop and of parallel steps all of them */
  readonly output: unknown;
  /** by step; of a loop those of its last iteration */
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly steps: readonly StepReport[];
  readonly iterations?: number | undefined;
  /** of a conditional one */
  readonly branch?: "then" | "else" | undefined;
  readonly durationMs: number;
}
