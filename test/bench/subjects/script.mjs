/**
 * Scripts. `start lua|javascript`: a program that prints 1 from a script and ends. `calls lua|javascript`: microseconds of a host call, and milliseconds that an
 * agent's call through a script takes beyond the same call in the library (medians).
 */
import { createSpell } from "../../../dist/node/main.js";

const [what, engine] = process.argv.slice(2);
const spell = createSpell({ profile: "candle", env: {} });
const isLua = engine === "lua";
const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

if (what === "start") {
  const { output } = await spell.scripts.run("print(1)", { engine });
  process.stdout.write(output);
} else {
  const calls = 2000;
  const loop = isLua
    ? `for i = 1, ${calls} do Utils.trim("x") end local from = Utils.now() for i = 1, ${calls} do Utils.trim("x") end return (Utils.now() - from) * 1000 / ${calls}`
    : `for (let i = 0; i < ${calls}; i++) Utils.trim("x"); const from = Utils.now(); for (let i = 0; i < ${calls}; i++) Utils.trim("x"); export default (Utils.now() - from) * 1000 / ${calls}`;
  const { result: callUs } = await spell.scripts.run(loop, { engine });
  const answers = 30;
  const options = { maxTokens: 1, temperature: 0 };
  await spell.generate("tiny-stories", "Once", options);
  const library = [];
  for (let i = 0; i < answers; i++) {
    const from = performance.now();
    await spell.generate("tiny-stories", "Once", options);
    library.push(performance.now() - from);
  }
  const agent = isLua
    ? `local a = Agent.builder():provider("candle"):model("tiny-stories"):max_tokens(1):temperature(0):build() local t = {}
       a:execute("Once") for i = 1, ${answers} do a:reset() local from = Utils.now() a:execute("Once") t[i] = Utils.now() - from end return t`
    : `const a = Agent.builder().provider("candle").model("tiny-stories").maxTokens(1).temperature(0).build(); const t = [];
       await a.execute("Once"); for (let i = 0; i < ${answers}; i++) { a.reset(); const from = Utils.now(); await a.execute("Once"); t.push(Utils.now() - from); } export default t`;
  const { result } = await spell.scripts.run(agent, { engine });
  await spell.dispose();
  const [agentMs, libraryMs] = [median(result), median(library)];
  process.stdout.write(`${JSON.stringify({ callUs, agentMs, libraryMs, overMs: agentMs - libraryMs })}\n`);
}
await spell.dispose();
