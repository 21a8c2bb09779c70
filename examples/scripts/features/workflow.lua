-- Workflows: steps in order, a choice, a loop; values go from step to step by {{path}}.
--   llmspell run examples/scripts/features/workflow.lua

local sum = Workflow.sequential({
  name = "sum",
  steps = {
    {name = "total", tool = "calculator", input = {expression = "price * count", variables = {price = "{{input.price}}", count = "{{input.count}}"}}},
    {name = "tax", tool = "calculator", input = {expression = "round(total * 0.2, 2)", variables = {total = "{{steps.total.result}}"}}},
    {name = "say", tool = "template", input = {template = "{{input.currency}} {{steps.tax.result}} of tax", values = {a = 1}}},
  },
})
local result = sum:execute({price = 6.25, count = 2, currency = "EUR"})
print(result.output.result, result.success, #result.steps)

local choice = Workflow.builder()
  :name("choice")
  :condition(function(scope) return scope.input.n > 10 end)
  :add_then_step({name = "large", tool = "calculator", input = {expression = "n / 10", variables = {n = "{{input.n}}"}}})
  :add_else_step({name = "small", workflow = "sum", input = {price = 3, count = 1, currency = "USD"}})
  :build()
print(choice:execute({n = 50}).output.result, choice:execute({n = 5}).branch)

local squares = Workflow.loop({
  collection = {2, 3, 4},
  steps = {{name = "square", tool = "calculator", input = {expression = "{{item}} ^ 2 + 0"}}},
  error_strategy = "continue",
})
for _, each in ipairs(squares:execute().output) do print(each.result) end
