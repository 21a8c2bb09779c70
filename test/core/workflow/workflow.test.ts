/** Workflows over tools of a spell and small agents: every type, what fails, limits, ends. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import { limits } from "../../../src/core/limits.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import type { WorkflowType } from "../../../src/core/workflow/types.ts";
import { failure } from "../../support/failure.ts";

const spell = createSpell({ platform: memoryPlatform(), config: { tools: { rate_limit_per_minute: 1_000_000 } }, env: {} });
const calculate = (name: string, expression: string, more: object = {}) => ({ name, tool: "calculator", input: { expression }, ...more });
const make = async (given: object, type?: WorkflowType) => (await spell.workflows()).create(given, type);
const echo = { execute: (input: unknown) => ({ text: `heard ${JSON.stringify(input)}` }) };
/** An agent that fails so often, then answers. */
const failing = (times: number) => {
  let left = times;
  return {
    execute() {
      left -= 1;
      if (left >= 0) throw new Error("not yet");
      return { text: "now" };
    },
  };
};
const hanging = { execute: () => new Promise(() => undefined) };

describe("a workflow", () => {
  it("runs steps in order, and hands values on", async () => {
    const workflow = await make(
      {
        name: "sum",
        steps: [
          calculate("first", "{{input.a}} + 1"),
          { name: "second", tool: "calculator", input: { expression: "x * 2", variables: { x: "{{steps.first.result}}" } } },
          { name: "say", agent: echo, input: { text: "It is {{previous.result}}, of {{input}}" } },
        ],
      },
      "sequential",
    );
    expect(workflow.state).toBe("ready");
    const result = await workflow.execute({ a: 2 });
    expect(result).toMatchObject({
      name: "sum",
      type: "sequential",
      success: true,
      output: { text: 'heard {"text":"It is 6, of {\\"a\\":2}"}' },
    });
    expect(result.outputs).toMatchObject({ first: { result: 3 }, second: { result: 6 } });
    expect(result.steps.map(({ name, kind, attempts }) => [name, kind, attempts])).toEqual([
      ["first", "tool", 1],
      ["second", "tool", 1],
      ["say", "agent", 1],
    ]);
    expect([workflow.state, workflow.last]).toEqual(["completed", result]);
  });

  it.each([
    [{ value: "{{input.n}}", is: "greater", to: 3 }, { n: 4 }, "then"],
    [{ value: "{{input.n}}", is: "less", to: 3 }, { n: 4 }, "else"],
    [{ value: "{{input.list}}", is: "contains", to: { a: 1 } }, { list: [{ a: 1 }] }, "then"],
    [{ value: "{{input.text}}", is: "contains", to: "b" }, { text: "abc" }, "then"],
    [{ value: "{{input.none}}", is: "exists" }, {}, "else"],
    [{ value: "{{input.a}}", is: "not_equals", to: "x" }, { a: "y" }, "then"],
    [{ value: "{{input.a}}", to: "{{input.b}}" }, { a: 1, b: 1 }, "then"],
    ["{{input.flag}}", { flag: false }, "else"],
    ["{{input.constructor}}", {}, "else"],
    [true, {}, "then"],
    [({ input }: { readonly input: { readonly n: number } }) => input.n > 1, { n: 2 }, "then"],
  ])("chooses by %j of %j", async (condition, input, branch) => {
    const given = { condition, then_steps: [calculate("yes", "1")], else_steps: [calculate("no", "0")] };
    expect(await (await make(given, "conditional")).execute(input)).toMatchObject({
      branch,
      output: { result: branch === "then" ? 1 : 0 },
    });
  });

  it("is not made with a comparison that there is not", async () => {
    const given = { condition: { value: "{{input.n}}", is: "bigger", to: 10 }, then_steps: [calculate("yes", "1")] };
    await expect(make(given, "conditional")).rejects.toMatchObject({ code: "workflow-option", where: "condition.is" });
  });

  it("runs again and again: over a range, a list, and while something holds", async () => {
    const over = async (given: object, input: object = {}) => (await make(given, "loop")).execute(input);
    const square = calculate("square", "{{item}}^2");
    const results = (output: unknown) => (output as { readonly result: number }[]).map(({ result }) => result);
    const ranged = await over({ range: { from: 1, to: 7, step: 3 }, steps: [square] });
    expect([results(ranged.output), ranged.iterations]).toEqual([[1, 16, 49], 3]);
    expect(results((await over({ range: { start: 3, end: 1, step: -1 }, steps: [square] })).output)).toEqual([9, 4, 1]);
    expect(results((await over({ collection: "{{input.list}}", steps: [square] }, { list: [2, 3] })).output)).toEqual([4, 9]);
    expect((await over({ collection: [], steps: [square] })).output).toEqual([]);
    const counting = { while: { value: "{{index}}", is: "less", to: 3 }, steps: [calculate("n", "0 + {{index}}")] };
    expect(results((await over(counting)).output)).toEqual([0, 1, 2]);
  });

  it("runs steps side by side, no more than it may at once", async () => {
    let [running, most] = [0, 0];
    const slow = {
      async execute(input: unknown) {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        return input;
      },
    };
    const steps = Array.from({ length: 6 }, (_, i) => ({ name: `s${i}`, agent: slow, input: i }));
    const result = await (await make({ steps, max_concurrency: 2 }, "parallel")).execute();
    expect([result.output, most]).toEqual([{ s0: 0, s1: 1, s2: 2, s3: 3, s4: 4, s5: 5 }, 2]);
  });

  it("runs workflows within it, by name and as they are written", async () => {
    const inner = await make({ name: "inner", steps: [calculate("double", "2 * {{input.n}}")] }, "sequential");
    const steps = [
      { name: "a", workflow: "inner", input: { n: 2 } },
      { name: "b", workflow: inner, input: { n: "{{steps.a.result}}" } },
      { name: "c", workflow: { steps: [calculate("d", "{{input.result}} + 1")] } },
    ];
    expect((await (await make({ steps }, "sequential")).execute()).output).toEqual({ result: 9 });
  });
});

describe("where a step fails", () => {
  it("ends, and says which step it was", async () => {
    const workflow = await make({ name: "short", steps: [calculate("bad", "1 +"), calculate("never", "1")] }, "sequential");
    const error = await failure(workflow.execute());
    expect([error.code, error.where, error.details]).toEqual(["workflow-failed", "bad", { step: "bad", code: "tool-failed", attempts: 1 }]);
    expect(workflow.state).toBe("failed");
  });

  it("goes on where it is told to, and says so", async () => {
    const steps = [calculate("bad", "1 +"), calculate("good", "2")];
    const result = await (await make({ steps, error_strategy: "continue" }, "sequential")).execute();
    expect(result).toMatchObject({
      success: false,
      output: { result: 2 },
      steps: [
        { name: "bad", success: false, error: { code: "tool-failed" } },
        { name: "good", success: true },
      ],
    });
    const side = await (await make({ steps, error_strategy: "continue" }, "parallel")).execute();
    expect(side).toMatchObject({ success: false, output: { good: { result: 2 } } });
  });

  it("tries again, so often and no more", async () => {
    const of = (times: number) => ({
      steps: [{ name: "a", agent: failing(times) }],
      error_strategy: "retry",
      max_attempts: 3,
      retry_delay_ms: 1,
    });
    expect((await (await make(of(2), "sequential")).execute()).steps).toMatchObject([{ attempts: 3, success: true }]);
    expect((await failure((await make(of(3), "sequential")).execute())).details).toMatchObject({ attempts: 3 });
  });

  it("ends the others where they run side by side", async () => {
    const steps = [{ name: "hangs", agent: hanging }, calculate("bad", "1 +")];
    expect((await failure((await make({ steps }, "parallel")).execute())).where).toBe("bad");
  });

  it("leaves braces that are no path to the tool", async () => {
    const input = {
      template: "{{greeting}} {{name}}{{#items}} {{.}}{{/items}}",
      values: { greeting: "Hello", name: "{{input.name}}", items: [1] },
    };
    const workflow = await make({ steps: [{ name: "a", agent: { execute: (given: unknown) => ({ given }) }, input }] }, "sequential");
    expect((await workflow.execute({ name: "Bo" })).output).toEqual({ given: { ...input, values: { ...input.values, name: "Bo" } } });
  });

  it.each([[{}], [[]], ["{{input.xs}}"]])("loops over nothing: %j", async (collection) => {
    const workflow = await make({ collection, steps: [calculate("a", "1")] }, "loop");
    expect(await workflow.execute({ xs: {} })).toMatchObject({ success: true, iterations: 0, output: [] });
  });

  it("names a path that leads nowhere", async () => {
    const workflow = await make({ steps: [calculate("a", "{{input.toString}}")] }, "sequential");
    expect((await failure(workflow.execute())).message).toContain("expected a value at {{input.toString}}, got none");
  });
});

describe("limits", () => {
  it("ends with the time of a step, and of the whole", async () => {
    const step = await failure((await make({ steps: [{ name: "a", agent: hanging, timeout_ms: 10 }] }, "sequential")).execute());
    expect([step.code, step.details]).toEqual(["workflow-timeout", expect.objectContaining({ step: "a", code: "workflow-timeout" })]);
    expect(step.message).toMatch(/^workflow workflow_\w+: step a: expected an end within 10 ms \(timeout_ms\), got none$/);
    expect((await failure((await make({ steps: [{ name: "a", agent: hanging }], timeout_ms: 10 }, "sequential")).execute())).code).toBe(
      "workflow-timeout",
    );
  });

  it("ends with its caller", async () => {
    const caller = new AbortController();
    const run = (await make({ steps: [{ name: "a", agent: hanging }], error_strategy: "continue" }, "sequential")).execute(
      {},
      { signal: caller.signal },
    );
    setTimeout(() => caller.abort(), 5);
    expect((await failure(run)).code).toBe("run-aborted");
  });

  it("counts steps of all that one call runs, iterations and depth", async () => {
    const steps = [calculate("a", "1")];
    const many = await make({ collection: Array.from({ length: limits.workflowSteps + 1 }, () => 1), max_iterations: 5000, steps }, "loop");
    expect((await failure(many.execute())).message).toContain(`at most ${limits.workflowSteps} steps`);
    const nested = { name: "n", workflow: { type: "loop", range: { end: 600 }, steps } };
    expect((await failure((await make({ steps: [nested, { ...nested, name: "m" }] }, "sequential")).execute())).code).toBe(
      "workflow-limit",
    );
    expect((await failure((await make({ while: true, steps, max_iterations: 3 }, "loop")).execute())).message).toContain(
      "at most 3 iterations",
    );
    expect((await failure((await make({ range: { end: 1e9 }, steps, max_iterations: 3 }, "loop")).execute())).code).toBe("workflow-limit");
    await make({ name: "endless", steps: [{ name: "again", workflow: "endless" }] }, "sequential");
    expect((await failure((await spell.workflows()).get("endless")?.execute() ?? Promise.resolve())).message).toContain("at most 10 deep");
  });

  it.each([
    [{}, "sequential", "steps: expected at least one step, got nothing"],
    [{ steps: [{ name: "a" }] }, "sequential", "steps[0]: expected one of tool, agent, workflow, got"],
    [{ steps: [{ name: "a", tool: "x", agent: "y" }] }, "sequential", "tool and agent"],
    [{ steps: [calculate("a", "1"), calculate("a", "2")] }, "sequential", "a name of its own for each step"],
    [{ steps: [calculate("a", "1")], range: { end: 2 } }, "sequential", "no range"],
    [{ steps: [calculate("a", "1")] }, "loop", "one of range, collection, while"],
    [{ steps: [calculate("a", "1")], range: { end: 2, step: 0 } }, "loop", "range.step"],
    [{ then_steps: [calculate("a", "1")] }, "conditional", "condition: expected one"],
    [{ steps: [calculate("a", "1")], error_stratgy: "continue" }, "sequential", "did you mean errorStrategy?"],
    [{ steps: [calculate("a", "1")], error_strategy: "ignore" }, "sequential", "expected fail_fast, continue, retry"],
    [{ steps: 5 }, "sequential", "a list of steps"],
    [{ name: "sum", steps: [calculate("a", "1")] }, "sequential", "a name that no workflow has"],
  ])("refuses %j as %s", async (given, type, message) => {
    const error = await failure(make(given, type as WorkflowType));
    expect([error.code, error.message]).toEqual(["workflow-option", expect.stringContaining(message)]);
  });

  it.each([[{ agent: 5 }], [{ workflow: "nobody" }], [{ tool: "nobody" }]])("names what %j is not", async (step) => {
    const error = await failure((await make({ steps: [{ name: "a", ...step }] }, "sequential")).execute());
    expect(error.message).toMatch(/expected an object with execute|the name of a workflow|the name of a tool/);
  });
});
