/** Tools that are functions of a script, called by an agent over a scripted model, and the hooks, events and replays around them; on any host, in both languages. */
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

  async function run(language: ScriptEngine, source: string, hooks: { readonly timeout_ms?: number } = {}): Promise<string> {
    let output = "";
    const gguf = scriptedRuntime({ answer: (prompt) => continuing([...answer(prompt)].join(""))(prompt) });
    const files = { "./own.gguf": writeGguf(tinyLlama({ chatTemplate: template })) };
    const platform = memoryPlatform({ gguf, files });
    const on = { runtime: { security: { allow_file_access: true }, sessions: { enabled: true } }, hooks: { enabled: true, ...hooks } };
    const spell = createSpell({ platform, env: {}, config: on });
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
      (signal) =>
        bind(scriptGlobals({ spell, config, language, signal, files: scriptFiles, log: ({ message }) => (output += `[${message}]\n`) })),
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
    "gives no function": [
      `local agent = Agent.builder():model("./own.gguf"):tool{name = "f", run = function() return {f = print} end}:build()
       print(agent:execute("call f {}").text)`,
      `const agent = Agent.builder().model("./own.gguf").tool({ name: "f", run: () => ({ f: print }) }).build();
       print((await agent.execute("call f {}")).text);`,
      "It is error: a function cannot be passed on",
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

  /** What a script's hooks made of one call of a tool each: a result, or what failed. */
  const luaHooks = `local function with(point, fn, expression)
      local hook = Hook.register(point, fn)
      local ok, got = pcall(function() return Tool.execute("calculator", {expression = expression or "1 + 1"}) end)
      if ok then print(type(got) == "table" and got.result or got) else print(got.code) end
      hook:unregister()
    end
    `;
  const jsHooks = `async function within(point, fn, expression = "1 + 1") {
      const hook = Hook.register(point, fn);
      const got = await Tool.execute("calculator", { expression }).catch((problem) => problem.code);
      print(got?.result ?? got);
      hook.unregister();
    }
    `;
  const watched: Readonly<Record<string, readonly [lua: string, js: string, output: string]>> = {
    "run by priority, then as they were registered, and see what those before them changed": [
      `for _, p in ipairs{"lowest", "normal", "highest", "normal"} do
         Hook.register("BeforeToolExecution", function(call)
           return {type = "modified", data = {input = {expression = call.input.expression .. " + " .. #p}}}
         end, p)
       end
       Hook.register("AfterToolExecution", function(call) print(call.input.expression) end)
       print(Tool.execute("calculator", {expression = "0"}).result)`,
      `for (const p of ["lowest", "normal", "highest", "normal"])
         Hook.register("BeforeToolExecution", (call) => ({ type: "modified", data: { input: { expression: call.input.expression + " + " + p.length } } }), p);
       Hook.register("AfterToolExecution", (call) => { print(call.input.expression); });
       print((await Tool.execute("calculator", { expression: "0" })).result);`,
      "0 + 7 + 6 + 6 + 6\n25",
    ],
    "cancel, replace, redirect, leave out, change, and try again": [
      `${luaHooks}
       with("BeforeToolExecution", function() return "no" end)
       with("BeforeToolExecution", function() return {type = "replace", data = {result = "own"}} end)
       with("BeforeToolExecution", function() return {type = "redirect", target = "uuid-generator2"} end)
       with("BeforeToolExecution", function() return "skip" end)
       with("AfterToolExecution", function() return {type = "modified", data = {output = {result = 3}}} end)
       with("AfterToolExecution", function() return {type = "cancel", reason = "no"} end)
       with("ToolError", function(call) return {type = "replace", data = {result = call.error.code}} end, "1 +")
       with("ToolError", function() return "as bad as that" end, "1 +")
       local times = 0
       with("ToolError", function(call) times = call.attempt; return {type = "retry", max_attempts = 3} end, "1 +")
       print(times)`,
      `${jsHooks}
       await within("BeforeToolExecution", () => "no");
       await within("BeforeToolExecution", async () => ({ type: "replace", data: { result: "own" } }));
       await within("BeforeToolExecution", () => ({ type: "redirect", target: "uuid-generator2" }));
       await within("BeforeToolExecution", () => "skip");
       await within("AfterToolExecution", () => ({ type: "modified", data: { output: { result: 3 } } }));
       await within("AfterToolExecution", () => ({ type: "cancel", reason: "no" }));
       await within("ToolError", (call) => ({ type: "replace", data: { result: call.error.code } }), "1 +");
       await within("ToolError", () => "as bad as that", "1 +");
       let times = 0;
       await within("ToolError", (call) => { times = call.attempt; return { type: "retry", max_attempts: 3 }; }, "1 +");
       print(times);`,
      "hook-cancelled\nown\ntool-unknown\nNOTHING\n3\nhook-cancelled\ntool-failed\nhook-cancelled\ntool-failed\n3",
    ],
    "that fail, or decide what cannot be decided there, are passed over with a warning": [
      `${luaHooks}
       with("BeforeToolExecution", function() error("mine", 0) end)
       with("BeforeToolExecution", function() error({code = 7}) end)
       with("BeforeToolExecution", function() return 5 end)
       with("BeforeToolExecution", function() return {type = "retry"} end)
       with("AfterToolExecution", function() return {type = "redirect", target = "regex"} end)
       with("ToolError", function() return {type = "modified", data = {input = {expression = "1"}}} end, "1 +")`,
      `${jsHooks}
       await within("BeforeToolExecution", () => { throw new Error("mine"); });
       await within("BeforeToolExecution", () => { throw { code: 7 }; });
       await within("BeforeToolExecution", () => 5);
       await within("BeforeToolExecution", () => ({ type: "retry" }));
       await within("AfterToolExecution", () => ({ type: "redirect", target: "regex" }));
       await within("ToolError", () => ({ type: "modified", data: { input: { expression: "1" } } }), "1 +");`,
      [
        "[hook 1 of BeforeToolExecution is passed over: mine]\n2",
        '[hook 2 of BeforeToolExecution is passed over: {"code":7}]\n2',
        "[hook 3 of BeforeToolExecution is passed over: expected a text or a table with type, got a number]\n2",
        "[hook 4 of BeforeToolExecution is passed over: retry: expected continue, modified, cancel, replace, skipped, redirect at this point]\n2",
        "[hook 5 of AfterToolExecution is passed over: redirect: expected continue, modified, cancel, replace, retry at this point]\n2",
        "[hook 6 of ToolError is passed over: modified: expected continue, cancel, replace, retry at this point]\ntool-failed",
      ].join("\n"),
    ],
    "of workflows see a result as execute() gives it, and put an output in its place": [
      `local work = Workflow.sequential{name = "w", steps = {{name = "a", tool = "calculator", input = {expression = "1 + 1"}}}}
       local keys = {}
       local seen = Hook.register("AfterWorkflowComplete", function(call) for k in pairs(call.output) do keys[#keys + 1] = k end table.sort(keys) end)
       work:execute()
       print(table.concat(keys, " "))
       Hook.register("AfterWorkflowComplete", function(call) return {type = "modified", data = {output = "mine"}} end)
       local result = work:execute()
       print(result.output, result.name, #result.steps)
       Hook.register("BeforeWorkflowStart", function() return {type = "replace", data = {1}} end)
       print(JSON.stringify(work:execute().output), #work:execute().steps)`,
      `const work = Workflow.sequential({ name: "w", steps: [{ name: "a", tool: "calculator", input: { expression: "1 + 1" } }] });
       Hook.register("AfterWorkflowComplete", (call) => { keys = Object.keys(call.output).sort(); });
       let keys;
       await work.execute();
       print(keys.join(" "));
       Hook.register("AfterWorkflowComplete", () => ({ type: "modified", data: { output: "mine" } }));
       const result = await work.execute();
       print([result.output, result.name, result.steps.length].join("\t"));
       Hook.register("BeforeWorkflowStart", () => ({ type: "replace", data: [1] }));
       print([JSON.stringify((await work.execute()).output), (await work.execute()).steps.length].join("\t"));`,
      'duration_ms name output outputs steps success type\nmine\tw\t1\n"mine"\t0',
    ],
    "and events and replays tell what was called": [
      `local id = Session.create{name = "s"}
       local done = Event.subscribe("tool.*")
       Session.set_current(id)
       Tool.execute("calculator", {expression = "6 * 7"})
       Session.set_current()
       print(Event.receive(done, 1000).type)
       print(Session.replay(id, {mode = "exact"}).same)
       local changed = Session.replay(id, {mode = "modified", modifications = {Replay.create_modification(1, {expression = "6 * 8"})}})
       print(changed.steps[1].output.result)`,
      `const id = Session.create({ name: "s" });
       const done = Event.subscribe("tool.*");
       Session.setCurrent(id);
       await Tool.execute("calculator", { expression: "6 * 7" });
       Session.setCurrent();
       print((await Event.receive(done, 1000)).type);
       print((await Session.replay(id, { mode: "exact" })).same);
       const changed = await Session.replay(id, { mode: "modified", modifications: [Replay.createModification(1, { expression: "6 * 8" })] });
       print(changed.steps[0].output.result);`,
      "tool.completed\n1\n48",
    ],
  };
  describe.each(Object.entries(watched))("hooks of a script %s", (_, [lua, js, output]) => {
    const shown = (text: string): string =>
      text
        .replace(/^(nil|null|undefined)$/gm, "NOTHING")
        .replace("thrown: ", "")
        .replace(/Error: (?=mine)|\{\s+"code": 7\s+\}/g, (found) => (found.startsWith("{") ? '{"code":7}' : ""));
    it("in Lua", async () => expect(shown(await run("lua", lua))).toBe(output));
    it("in JavaScript", async () => expect(shown(await run("javascript", js))).toBe(output));
  });

  it("a function in JavaScript that never settles ends with the time of its agent or workflow, and the script can catch it", async () => {
    const source = `const never = () => new Promise(() => undefined);
       const agent = Agent.builder().model("./own.gguf").tool({ name: "wait", run: never }).max_execution_time(0.3).build();
       const code = (e) => e.code;
       print(await agent.execute("call wait {}").catch(code), await agent.invokeTool("wait", {}).catch(code));
       const workflow = Workflow.conditional({ condition: never, then_steps: [{ name: "a", tool: "calculator", input: { expression: "1" } }], timeout_ms: 100 });
       print(await workflow.execute().catch(code));`;
    expect(await run("javascript", source)).toBe("agent-timeout agent-timeout\nworkflow-timeout");
  });

  describe("a hook that never ends is passed over after hooks.timeout_ms, and those behind it are not", () => {
    const late = { timeout_ms: 500 };
    const passedOver = "[hook 1 of BeforeToolExecution is passed over: no result within 500 ms (hooks.timeout_ms)]";
    it("in Lua, where what it waits for ends with its time", async () => {
      const source = `Hook.register("BeforeToolExecution", function()
           local ok, e = pcall(Utils.sleep, 600)
           print(e.code, (e.message:gsub("^.-: ", "")))
           print(select(2, pcall(Tool.execute, "calculator", {expression = "3"})).code)
         end)
         Hook.register("BeforeToolExecution", function(call) return {type = "modified", data = {input = {expression = call.input.expression .. " * 7"}}} end)
         local id = Event.subscribe("tool.*")
         print(Tool.execute("calculator", {expression = "6"}).result)
         print(Event.receive(id, 1000).type)`;
      const told = "script-time\texpected a function that ends within 500 ms, got one that waits for longer\nscript-time";
      expect(await run("lua", source, late)).toBe(`${passedOver}\n${told}\n42\ntool.completed`);
    });
    it("in JavaScript, with a promise that never settles", async () => {
      const source = `Hook.register("BeforeToolExecution", () => new Promise(() => undefined));
         Hook.register("BeforeToolExecution", async (call) => ({ type: "modified", data: { input: { expression: call.input.expression + " * 7" } } }));
         const id = Event.subscribe("tool.*");
         print((await Tool.execute("calculator", { expression: "6" })).result);
         print((await Event.receive(id, 1000)).type);`;
      expect(await run("javascript", source, late)).toBe(`${passedOver}\n42\ntool.completed`);
    });
    it("in JavaScript at once, where nothing waits for a promise", async () => {
      const source = `Hook.register("BeforeAgentInit", async () => "no"); Agent.builder().model("./own.gguf").build(); print("built");`;
      expect(await run("javascript", source)).toBe(
        "[hook 1 of BeforeAgentInit is passed over: expected a result at once, got a Promise: the call that asks for it does not wait]\nbuilt",
      );
    });
  });
}
