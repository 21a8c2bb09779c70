-- The built-in tools: run one by its name, find others, see what one takes.
--   llmspell run examples/scripts/features/tools.lua

print(Tool.execute("calculator", {expression = "2*(3+4)"}).result)

local table = Tool.csv_analyzer({csv = "city;degrees\nRome;21\nOslo;9\n"})
for _, column in ipairs(table.columns) do print(column.name, column.type, column.distinct) end

local warm = Tool.json_processor({input = table.result, query = "map(select(.degrees > 10) | .city)"})
print(warm.result[1])

print(Tool.template({template = "It is warm in {{#cities}}{{.}}{{/cities}}.", values = {cities = warm.result}}).result)

for _, tool in ipairs(Tool.discover({category = "time"})) do print(tool.name) end

local ok, problem = pcall(Tool.execute, "calculator", {expression = "2 +"})
print(ok, problem.code)
