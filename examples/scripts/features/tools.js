// The built-in tools: run one by its name, find others, see what one takes.
//   llmspell run examples/scripts/features/tools.js

print((await Tool.execute("calculator", { expression: "2*(3+4)" })).result);

const table = await Tool.csvAnalyzer({ csv: "city;degrees\nRome;21\nOslo;9\n" });
for (const column of table.columns) print(column.name, column.type, column.distinct);

const warm = await Tool.jsonProcessor({ input: table.result, query: "map(select(.degrees > 10) | .city)" });
print(warm.result[0]);

print((await Tool.template({ template: "It is warm in {{#cities}}{{.}}{{/cities}}.", values: { cities: warm.result } })).result);

for (const tool of Tool.discover({ category: "time" })) print(tool.name);

try {
  await Tool.execute("calculator", { expression: "2 +" });
} catch (problem) {
  print(false, problem.code);
}
