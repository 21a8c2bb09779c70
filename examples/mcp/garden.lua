-- Tools of a server of the Model Context Protocol.
--   llmspell run examples/mcp/garden.lua -c examples/mcp/llmspell.toml
local garden = Tool.connect("garden")
print("tools", table.concat(garden.tools, ", "))
print("north", Tool.execute("garden_bed", {name = "north"}).result)
print("litres", Tool.execute("garden_water", {square_metres = 12, degrees = 24}).result.litres)

local ok, e = pcall(Tool.execute, "garden_bed", {name = "west"})
print("west", ok, e.code)
