// Workflows: steps in order, a choice, a loop; values go from step to step by {{path}}.
//   llmspell run examples/scripts/features/workflow.js

const sum = Workflow.sequential({
  name: "sum",
  steps: [
    {
      name: "total",
      tool: "calculator",
      input: { expression: "price * count", variables: { price: "{{input.price}}", count: "{{input.count}}" } },
    },
    { name: "tax", tool: "calculator", input: { expression: "round(total * 0.2, 2)", variables: { total: "{{steps.total.result}}" } } },
    { name: "say", tool: "template", input: { template: "{{input.currency}} {{steps.tax.result}} of tax", values: { a: 1 } } },
  ],
});
const result = await sum.execute({ price: 6.25, count: 2, currency: "EUR" });
print(result.output.result, result.success, result.steps.length);

const choice = Workflow.builder()
  .name("choice")
  .condition((scope) => scope.input.n > 10)
  .addThenStep({ name: "large", tool: "calculator", input: { expression: "n / 10", variables: { n: "{{input.n}}" } } })
  .addElseStep({ name: "small", workflow: "sum", input: { price: 3, count: 1, currency: "USD" } })
  .build();
print((await choice.execute({ n: 50 })).output.result, (await choice.execute({ n: 5 })).branch);

const squares = Workflow.loop({
  collection: [2, 3, 4],
  steps: [{ name: "square", tool: "calculator", input: { expression: "{{item}} ^ 2 + 0" } }],
  error_strategy: "continue",
});
for (const each of (await squares.execute()).output) print(each.result);
