-- Hooks that see and change calls of tools, and events that tell of them.
--   LLMSPELL_HOOKS_ENABLED=true llmspell run examples/sessions/watch.lua

local done = Event.subscribe("tool.*")

Hook.register("BeforeToolExecution", function(call)
  if call.input.amount > 100 then return "more than 100 needs a person" end
end, "high")
Hook.register("AfterToolExecution", function(call)
  return {type = "modified", data = {output = call.output .. " EUR"}}
end)

local shop = Agent.builder():name("shop"):model("tiny-stories"):tool{
  name = "pay",
  schema = {type = "object", properties = {amount = {type = "number"}}, required = {"amount"}},
  run = function(input) return "paid " .. input.amount end,
}:build()

print(shop:invoke_tool("pay", {amount = 12}))
local ok, problem = pcall(shop.invoke_tool, shop, "pay", {amount = 500})
print(problem.code .. ": " .. problem.details.reason)

for _ = 1, 2 do
  local event = Event.receive(done, 1000)
  print(event.type .. " " .. event.data.name)
end
