/** Tools that are functions of a script, called by an agent over a scripted model; on any host, in both languages. */
import { afterEach, describe, expect, it } from "vitest";
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import type { ScriptRuntime } from "../../src/core/platform.ts";
import { bind } from "../../src/core/scripts/bind.ts";
import { scriptGlobals } from "../../src/core/scripts/globals/index.ts";
import type { ScriptEngine } from "../../src/core/scripts/protocol.ts";
import { openSession, type ScriptSession } from "../../src/core/scripts/session.ts";
import { memoryPlatform, scriptedRuntime } from "../../src/core/testing/index.ts";
import { tinyLlama } from "../fixtures/gguf/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { continuing } from "../support/continuing.ts";

const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";

/** The prompt names the call: `call NAME JSON`; then the model says what it read. */
function answer(prompt: string): Iterable<string> {
  const [, result] = [...prompt.matchAll(/<tool_response>\n(.*?)\n<\/tool_response>/gs)].at(-1) ?? [];
  if (result !== undefined) return ["It is ", result];
  const [, name = "", input = ""] = /.*<user>call (\w+) ([^<]*)<assistant>/s.exec(prompt) ?? [];
  return [`<tool_call>\n{"name": "${name}", "arguments": ${input}}\n</tool_call>`];
}

export function describeScriptTools(runtime: ScriptRuntime): void {
  const open: (Spell | ScriptSession)[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await ("close" in each ? each.close() : each.dispose());
  });

  async function run(language: ScriptEngine, source: string): Promise<string> {
    let output = "";
    const gguf = scriptedRuntime({ answer: (prompt) => continuing([...answer(prompt)].join(""))(prompt) });
    const files = { "./own.gguf": writeGguf(tinyLlama({ chatTemplate: template })) };
    const platform = memoryPlatform({ gguf, files });
    const spell = createSpell({ platform, env: {}, config: { runtime: { security: { allow_file_access: true } } } });
    open.push(spell);
    const config = await spell.config();
    const scriptFiles = { permit: () => undefined } as never;
    const session = openSession(
      {
        engine: language,
        wire: await runtime.start(language, 64 * 1024 * 1024),
        settings: { stdlib: "Standard", isDebug: false, hasConsole: true, hasFiles: false },
        limits: { memoryBytes: 64 * 1024 * 1024, timeoutMs: 10_000, outputBytes: 1e6, runMs: 60_000 },
        now: () => performance.now(),
        onOutput(piece) {
          output += piece;
        },
        onLog: () => undefined,
      },
      (signal) => bind(scriptGlobals({ spell, config, language, signal, files: scriptFiles, log: () => undefined })),
    );
    open.push(session);
    await session.run({ source, name: language === "lua" ? "main.lua" : "main.js" });
    return output.trim();
  }

  const both: Readonly<Record<string, readonly [lua: string, js: string, output: string]>> = {
    "is called with the input, and its result goes to the model": [
      `local agent = Agent.builder():model("./own.gguf"):tool{name = "add", schema = {type = "object", required = {"a"}}, run = function(input) return {sum = input.a + input.b} end}:build()
       local answer = agent:execute('call add {"a": 1, "b": 2}')
       print(answer.text .. " " .. answer.metadata.turns .. " " .. answer.metadata.tool_calls[1].name .. " " .. answer.metadata.tool_calls[1].input.b)`,
      `const agent = Agent.builder().model("./own.gguf").tool({ name: "add", schema: { type: "object", required: ["a"] }, run: async ({ a, b }) => ({ sum: a + b }) }).build();
       const { text, metadata } = await agent.execute('call add {"a": 1, "b": 2}');
       print(text + " " + metadata.turns + " " + metadata.tool_calls[0].name + " " + metadata.tool_calls[0].input.b);`,
      'It is {"sum":3} 2 add 2',
    ],
    "that raises is told to the model, with its words": [
      `local agent = Agent.builder():model("./own.gguf"):tool{name = "bad", run = function() error({message = "no network"}) end}:build()
       print(agent:execute("call bad {}").text)`,
      `const agent = Agent.builder().model("./own.gguf").tool({ name: "bad", run: () => { throw "no network"; } }).build();
       print((await agent.execute("call bad {}")).text.replace("thrown: ", ""));`,
      "It is error: no network",
    ],
    "may use the globals, and other agents": [
      `local inner = Agent.builder():model("./own.gguf"):tool{name = "one", run = function() return 1 end}:build()
       local outer = Agent.builder():model("./own.gguf"):tool{name = "ask", run = function() return JSON.stringify({inner:complete("call one {}")}) end}:build()
       print(outer:complete("call ask {}"))`,
      `const inner = Agent.builder().model("./own.gguf").tool({ name: "one", run: () => 1 }).build();
       const outer = Agent.builder().model("./own.gguf").tool({ name: "ask", run: async () => JSON.stringify([await inner.complete("call one {}")]) }).build();
       print(await outer.complete("call ask {}"));`,
      'It is ["It is 1"]',
    ],
    "streams, is in the history, and the history can be given again": [
      `local builder = Agent.builder():model("./own.gguf"):tool{name = "one", run = function() return 1 end}
       local agent, said = builder:build(), ""
       agent:stream("call one {}", function(chunk) said = said .. chunk.text end)
       local other = Agent.builder():model("./own.gguf"):build()
       print(said, #agent:history(), agent:history()[2].content[2].name, other:execute({messages = agent:history(), text = "call x {}"}).text)`,
      `const agent = Agent.builder().model("./own.gguf").tool({ name: "one", run: () => 1 }).build();
       let said = "";
       await agent.stream("call one {}", (chunk) => { said += chunk.text; });
       const other = Agent.builder().model("./own.gguf").build();
       print([said, agent.history().length, agent.history()[1].content[1].name, (await other.execute({ messages: agent.history(), text: "call x {}" })).text].join("\\t"));`,
      "It is 1\t4\tone\tIt is 1",
    ],
    "of LocalLLM.generate is asked for, and left to the script": [
      `local result = LocalLLM.generate("./own.gguf", 'call get_it {"aB": null, "c_d": 1}', {tools = {{name = "get_it", schema = {type = "object"}}}})
       print(result.finish_reason, result.tool_calls[1].name, JSON.stringify(result.tool_calls[1].input))`,
      `const result = await LocalLLM.generate("./own.gguf", 'call get_it {"aB": null, "c_d": 1}', { tools: [{ name: "get_it", schema: { type: "object" } }] });
       print([result.finish_reason, result.tool_calls[0].name, JSON.stringify(result.tool_calls[0].input)].join("\\t"));`,
      'tool-calls\tget_it\t{"aB":null,"c_d":1}',
    ],
    "runs by hand, and its failure is the script's own": [
      `local agent = Agent.builder():model("./own.gguf"):tools{{name = "a", run = function(input) return input.x end}, {name = "b", run = function() error("mine", 0) end}}:build()
       print(agent:invoke_tool("a", {x = "y"}), select(2, pcall(agent.invoke_tool, agent, "b")), agent:has_tool("c"))`,
      `const agent = Agent.builder().model("./own.gguf").tools([{ name: "a", run: ({ x }) => x }, { name: "b", run: () => { throw "mine"; } }]).build();
       print([await agent.invokeTool("a", { x: "y" }), await agent.invokeTool("b").catch((e) => e), agent.hasTool("c")].join("\\t"));`,
      "y\tmine\tfalse",
    ],
  };
  describe.each(Object.entries(both))("a tool of a script %s", (_, [lua, js, output]) => {
    it("in Lua", async () => expect(await run("lua", lua)).toBe(output));
    it("in JavaScript", async () => expect(await run("javascript", js)).toBe(output));
  });
}
