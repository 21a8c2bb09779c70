// Tools of a server of the Model Context Protocol.
//   llmspell run examples/mcp/garden.js -c examples/mcp/llmspell.toml
const garden = await Tool.connect("garden");
console.log("tools", garden.tools.join(", "));
console.log("north", (await Tool.execute("garden_bed", { name: "north" })).result);
console.log("litres", (await Tool.execute("garden_water", { square_metres: 12, degrees: 24 })).result.litres);

try {
  await Tool.execute("garden_bed", { name: "west" });
} catch (error) {
  console.log("west", false, error.code);
}
