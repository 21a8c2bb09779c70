/**
 * What docs/script-globals.md says of each function of the globals: meaning, result, errors, and an example in both languages. Arguments come from the
 * functions themselves. test/core/scripts/globals.test.ts holds the names to those that scripts have; the examples are run in both engines.
 */

import { entry, same } from "./script-entry.mjs";
import { rag } from "./script-globals-rag.mjs";
import { sessions } from "./script-globals-sessions.mjs";

/** @typedef {import("./script-entry.mjs").Entry} Entry */

const agent = `local agent = Agent.builder():model("tiny-stories"):max_tokens(8):build()\n`;
const agentJs = `const agent = Agent.builder().model("tiny-stories").max_tokens(8).build();\n`;

const flow = `local flow = Workflow.sequential({steps = {{name = "a", tool = "calculator", input = {expression = "1+1"}}}})\n`;
const flowJs = `const flow = Workflow.sequential({ steps: [{ name: "a", tool: "calculator", input: { expression: "1+1" } }] });\n`;

/** Values of builder methods, as both languages write them. */
const builderValues = /** @type {Record<string, [says: string, lua: string, js: string]>} */ ({
  name: ["Name of the agent; default `agent_` and 8 hex digits.", '"helper"', '"helper"'],
  description: ["What it is for.", '"Answers briefly"', '"Answers briefly"'],
  provider: ["A declared provider, or the word of a backend.", '"candle"', '"candle"'],
  model: [
    "A model's name in any form, or `PROVIDER/NAME`; default: that of the provider, else of the configuration.",
    '"tiny-stories"',
    '"tiny-stories"',
  ],
  device: ["Where it computes: `auto`, `webgpu`, `metal`, `vulkan`, `cuda`, `cpu`, `wasm`. Not for servers.", '"cpu"', '"cpu"'],
  system_prompt: ["The system message; none is invented.", '"Be brief."', '"Be brief."'],
  base_url: [
    "Address of its server, for this agent alone. A configured key is not sent there.",
    '"http://127.0.0.1:11434"',
    '"http://127.0.0.1:11434"',
  ],
  api_key: ["Key for this agent alone.", '"a-key-of-mine"', '"a-key-of-mine"'],
  max_conversation_length: ["Messages that are kept, default 100; the oldest go first.", "20", "20"],
  max_execution_time: ["Seconds of one answer, default 300.", "60", "60"],
  resource_limits: ["A table with `max_execution_time_secs`.", "{max_execution_time_secs = 60}", "{ max_execution_time_secs: 60 }"],
  parameters: ["Several parameters of an answer.", "{temperature = 0.2, max_tokens = 100}", "{ temperature: 0.2, max_tokens: 100 }"],
  custom_config: ["Several options of this list.", '{model = "tiny-stories", device = "cpu"}', '{ model: "tiny-stories", device: "cpu" }'],
  tool: [
    "A tool that the model may call: `run` gets the input, and what it returns or raises is told to the model. `schema` describes the input.",
    '{name = "now", description = "The time", run = function(input) return Utils.now() end}',
    '{ name: "now", description: "The time", run: (input) => Utils.now() }',
  ],
  tools: [
    "Several tools.",
    '{{name = "now", run = function(input) return Utils.now() end}}',
    '[{ name: "now", run: (input) => Utils.now() }]',
  ],
  allow_tool: [
    "A tool, by its name, that the model may call, a built-in one too; those that are not named may not be called from then on.",
    '"now"',
    '"now"',
  ],
  allowed_tools: ["Several of them.", '{"now", "add"}', '["now", "add"]'],
  max_tool_calls: ["Calls that are run in one answer, default 16; later ones are refused, and the model has to answer.", "4", "4"],
  max_recursion_depth: ["Times that the model is asked again with results, in one answer, default 8.", "2", "2"],
  tool_choice: [
    "`auto`, `none`, `required`, or a table with the `name` of a tool: what the first turn of an answer has to do.",
    '"auto"',
    '"auto"',
  ],
  parallel_tool_calls: ["Whether several calls may come at once.", "false", "false"],
  reasoning: ["`off`: no thinking, where the model can leave it out; default `auto`.", '"off"', '"off"'],
  json_schema: [
    "JSON Schema that the answer keeps; its value is `data` of the answer.",
    '{type = "object", properties = {city = {type = "string"}}, required = {"city"}}',
    '{ type: "object", properties: { city: { type: "string" } }, required: ["city"] }',
  ],
  choices: ["Texts, one of which is the answer.", '{"yes", "no"}', '["yes", "no"]'],
  regex: ["Expression that the answer matches as a whole.", '"[a-z]+"', '"[a-z]+"'],
  grammar: ["Grammar of the answer in GBNF (GGUF models).", `'root ::= "yes" | "no"'`, `'root ::= "yes" | "no"'`],
  stop: ["Texts at which an answer ends.", '{"\\n\\n"}', '["\\n\\n"]'],
  preset: ["`greedy`, `balanced`, `conservative`, `creative`.", '"greedy"', '"greedy"'],
  context_size: ["Tokens that the model keeps.", "256", "256"],
  max_tokens: ["Most tokens of an answer.", "100", "100"],
  temperature: ["Randomness; 0 = greedy.", "0.7", "0.7"],
  top_p: ["Keeps the likeliest tokens up to this share.", "0.9", "0.9"],
  top_k: ["Keeps this many likeliest tokens.", "40", "40"],
  min_p: ["Drops tokens below this share of the likeliest.", "0.05", "0.05"],
  repeat_penalty: ["Weakens tokens seen lately.", "1.1", "1.1"],
  repeat_last_n: ["Tokens that the penalties look at.", "64", "64"],
  presence_penalty: ["Weakens tokens that occurred.", "0.5", "0.5"],
  frequency_penalty: ["Weakens tokens by how often they occurred.", "0.5", "0.5"],
  seed: ["Start of the random numbers.", "7", "7"],
  num_beams: ["Beams of the search (T5).", "4", "4"],
  length_penalty: ["Favours longer answers of a beam search (T5).", "1.2", "1.2"],
  num_return_sequences: ["Answers of a beam search (T5).", "2", "2"],
  no_repeat_ngram_size: ["No sequence of this many tokens twice.", "3", "3"],
});

const disabled = "`state-disabled`, `store-*`";
const levels = ["trace", "debug", "info", "warn", "error"];

/** @type {Record<string, Entry>} */
export const documented = {
  "LocalLLM.status": entry(
    "Health of each backend, or of one.",
    "`{candle = {configured, ready, models, version, device, store, error?}, ollama = {configured, running, models, version?, url, error?}}`; with a backend the inner table",
    `print(LocalLLM.status("candle").ready)`,
    `print((await LocalLLM.status("candle")).ready);`,
    "`backend-unknown`",
  ),
  "LocalLLM.list": entry(
    "Models that are here; a backend that does not answer is left out, and the log says so.",
    "a list of `{id, backend, format, architecture, size_bytes, quantization?, modified_at?, source, verified, bundled, loaded}`",
    `for _, model in ipairs(LocalLLM.list()) do print(model.id) end`,
    `for (const model of await LocalLLM.list()) print(model.id);`,
    "`backend-unknown`",
  ),
  "LocalLLM.available": entry(
    "Models that can be pulled. Asks no network.",
    "a list of `{name, backend, kind, variants, size_bytes, license, description, recommended, installed, spec, source}`",
    `print(#LocalLLM.available({recommended = true}) > 0)`,
    `print((await LocalLLM.available({ recommended: true })).length > 0);`,
  ),
  "LocalLLM.pull": entry(
    "Fetches a model, however long that takes. `on_progress` gets the same fields about twice a second; `false` ends the pull.",
    "`{model_id, backend, status, percent_complete, bytes_downloaded, bytes_total?, already_present, verified}`",
    `print(LocalLLM.pull("tiny-stories", {on_progress = function(p) print(p.percent_complete) end}).status)`,
    `print((await LocalLLM.pull("tiny-stories", { on_progress: (p) => print(p.percent_complete) })).status);`,
    "`script-denied` without network access, `net-*`, `store-*`, `model-*`",
  ),
  "LocalLLM.info": entry(
    "What a model says about itself.",
    "the fields of `list`, and `{parameter_count?, context_length?, license?, capabilities, files, …}`",
    `print(LocalLLM.info("tiny-stories").architecture)`,
    `print((await LocalLLM.info("tiny-stories")).architecture);`,
    "`model-not-installed`, `model-unknown`",
  ),
  "LocalLLM.remove": entry(
    "Deletes a model of the store; no question is asked. Files of other tools stay.",
    "`{model_id, freed_bytes, kept_files}`",
    `local ok, why = pcall(LocalLLM.remove, "tiny-stories")\nprint(ok, why.code) -- a bundled model stays`,
    `try {\n  await LocalLLM.remove("tiny-stories");\n} catch (error) {\n  print(error.code); // a bundled model stays\n}`,
    "`model-bundled`, `model-not-installed`, `store-locked`",
  ),
  "LocalLLM.verify": entry(
    "Hashes the files of a model again, or of all.",
    "a list of `{model_id, file, ok?, expected?, actual?}`; `ok` is absent where no hash is known to compare with, as of your own files",
    `print(LocalLLM.verify("tiny-stories")[1].ok)`,
    `print((await LocalLLM.verify("tiny-stories"))[0].ok);`,
    "`model-not-installed`",
  ),
  "LocalLLM.unload": entry(
    "Frees a loaded model, or all; the next call loads it again.",
    "how many were loaded",
    `print(LocalLLM.unload())`,
    `print(await LocalLLM.unload());`,
  ),
  "LocalLLM.embed": entry(
    "Vectors of texts, each of length 1, by an embedding model. `query`: the texts are questions; `dimensions`: only the first numbers; `truncate`: texts that are too long are cut.",
    "a list of lists of numbers",
    `local ok, why = pcall(LocalLLM.embed, "tiny-t5-en-fr", {"a cat", "a dog"})\nprint(ok, why.code) -- a translator makes none`,
    `try {\n  await LocalLLM.embed("tiny-t5-en-fr", ["a cat", "a dog"]);\n} catch (error) {\n  print(error.code); // a translator makes none\n}`,
    "`model-not-installed`, `model-architecture`, `run-context`, `run-option`, `device-*` …",
  ),
  "LocalLLM.rerank": entry(
    "How well each text fits a question, by a re-ranking model: a number for each, larger for a better fit. `truncate`: texts that are too long are cut.",
    "a list of numbers",
    `local ok, why = pcall(LocalLLM.rerank, "tiny-t5-en-fr", "where is the cat?", {"a cat on a roof"})\nprint(ok, why.code) -- a translator scores none`,
    `try {\n  await LocalLLM.rerank("tiny-t5-en-fr", "where is the cat?", ["a cat on a roof"]);\n} catch (error) {\n  print(error.code); // a translator scores none\n}`,
    "`model-not-installed`, `model-architecture`, `run-context`, `run-option`, `device-*` …",
  ),
  "LocalLLM.generate": entry(
    "One answer of a model on this machine. Pulls nothing by itself. `on_token` is waited for, and ends the answer where it gives `false`.",
    "`{text, model, backend, architecture, device?, finish_reason, prompt_tokens, completion_tokens, cached_tokens?, seed, timings, candidates?, reasoning?, tool_calls?, json?, choice_logprobs?}`; `tool_calls` are `{id, name, input}`, of the `tools` in the options; `json` is the value of the text, with `json_schema`, `choice_logprobs` are by `choices`, where the model rates them",
    `local answer = LocalLLM.generate("tiny-stories", "Once upon a time", {max_tokens = 8, on_token = function(text) io.write(text) end})\nprint(answer.finish_reason)`,
    `const answer = await LocalLLM.generate("tiny-stories", "Once upon a time", { max_tokens: 8, on_token: (text) => print(text) });\nprint(answer.finish_reason);`,
    "`model-not-installed`, `run-context`, `device-*`, `gguf-*` …",
  ),

  "Agent.builder": entry(
    "Begins an agent.",
    "an `AgentBuilder`",
    `local builder = Agent.builder()\nprint(builder:model("tiny-stories") == builder)`,
    `const builder = Agent.builder();\nprint(builder.model("tiny-stories") === builder);`,
  ),
  "Agent.create": entry(
    "Of earlier versions. Always raises, with the builder in the script's language.",
    "nothing",
    `print(select(2, pcall(Agent.create, {})).code)`,
    `try {\n  Agent.create({});\n} catch (error) {\n  print(error.code);\n}`,
    "`agent-create-removed`",
  ),
  "Agent.list": entry(
    "Agents of this run.",
    "a list of `{name, model, provider?}`",
    `${agent}print(Agent.list()[1].model)`,
    `${agentJs}print(Agent.list()[0].model);`,
  ),
  "Agent.list_instances": entry(
    "Their names.",
    "a list of texts",
    `${agent}print(#Agent.list_instances())`,
    `${agentJs}print(Agent.listInstances().length);`,
  ),
  "Agent.get": entry(
    "An agent by its name.",
    "an `Agent`, or nothing",
    `Agent.builder():name("a"):model("tiny-stories"):build()\nprint(Agent.get("a"):get_state())`,
    `Agent.builder().name("a").model("tiny-stories").build();\nprint(Agent.get("a").getState());`,
  ),
  "Agent.get_info": entry(
    "What an agent is.",
    "`{name, description, provider?, model, device?, parameters}`, or nothing",
    `Agent.builder():name("a"):model("tiny-stories"):build()\nprint(Agent.get_info("a").description)`,
    `Agent.builder().name("a").model("tiny-stories").build();\nprint(Agent.getInfo("a").description);`,
  ),

  ...Object.fromEntries(
    Object.entries(builderValues).map(([name, [says, lua, js]]) => [
      `AgentBuilder:${name}`,
      entry(says, "the builder", `Agent.builder():${name}(${lua})`, `Agent.builder().${name}(${js});`, "`agent-option`"),
    ]),
  ),
  "AgentBuilder:build": entry(
    "Checks everything, and makes the agent. Loads and contacts nothing.",
    "an `Agent`",
    `print(Agent.builder():model("tiny-stories"):build():get_state())`,
    `print(Agent.builder().model("tiny-stories").build().getState());`,
    "`agent-model-required`, `agent-duplicate`, `agent-option`, `backend-*`, `spec-*`, `usage-no-model`",
  ),

  "Agent:execute": entry(
    "Answers. `input` is text, or `{text, messages?, parameters?, device?}`. The conversation so far goes as messages through the model's own template; T5 sees the text alone. Calls of one agent wait for each other.",
    "`{text, reasoning?, data?, metadata = {model, provider, backend, device?, finish_reason, token_count, prompt_tokens, completion_tokens, execution_time_ms, load_time_ms, tokens_per_second, seed, turns, tool_calls}}`; `data` is the value of a text that is JSON, `tool_calls` are `{id, name, input, result, is_error, duration_ms}`",
    `${agent}print(agent:execute({text = "Once upon a time"}).text)`,
    `${agentJs}print((await agent.execute({ text: "Once upon a time" })).text);`,
    "`agent-option`, `agent-modality`, `agent-timeout`, `model-not-installed`, `run-*`, `device-*` …",
  ),
  "Agent:stream": entry(
    "As `execute`; `on_chunk` gets `{text, index, done}` for each piece and is waited for. The last one is empty and `done`. Where a hook stands behind the call (`AfterAgentExecution`, `AgentError`), the text comes as one piece, once the hook has decided. `false` ends the answer: `finish_reason` is `aborted`, counts are left out.",
    "as `execute`, and `chunks_received`",
    `${agent}agent:stream("Once", function(chunk) io.write(chunk.text) end)`,
    `${agentJs}await agent.stream("Once", (chunk) => print(chunk.text));`,
    "as `execute`, and what `on_chunk` raises",
  ),
  "Agent:invoke_stream": entry(
    "The same as `stream`.",
    "as `stream`",
    `${agent}print(agent:invoke_stream("Once", function() return false end).metadata.finish_reason)`,
    `${agentJs}print((await agent.invokeStream("Once", () => false)).metadata.finish_reason);`,
  ),
  "Agent:complete": entry(
    "The text of an answer.",
    "text",
    `${agent}print(agent:complete("Once"))`,
    `${agentJs}print(await agent.complete("Once"));`,
    "as `execute`",
  ),
  "Agent:history": entry(
    "The conversation. `content` is text; of an assistant that thought or called tools, and of results, a list of parts.",
    "a list of `{role, content}`",
    `${agent}agent:complete("Once")\nprint(#agent:history())`,
    `${agentJs}await agent.complete("Once");\nprint(agent.history().length);`,
  ),
  "Agent:discover_tools": entry(
    "Tools that the model may call.",
    "a list of `{name, description?, schema?}`",
    `local agent = Agent.builder():model("tiny-stories"):tool{name = "now", run = function() return Utils.now() end}:build()\nprint(agent:discover_tools()[1].name)`,
    `const agent = Agent.builder().model("tiny-stories").tool({ name: "now", run: () => Utils.now() }).build();\nprint(agent.discoverTools()[0].name);`,
  ),
  "Agent:has_tool": entry(
    "Whether the model may call a tool.",
    "true or false",
    `${agent}print(agent:has_tool("now"))`,
    `${agentJs}print(agent.hasTool("now"));`,
  ),
  "Agent:get_tool_metadata": entry(
    "What a tool is.",
    "`{name, description?, schema?}`, or nothing",
    `local agent = Agent.builder():model("tiny-stories"):tool{name = "now", description = "The time", run = function() return 1 end}:build()\nprint(agent:get_tool_metadata("now").description)`,
    `const agent = Agent.builder().model("tiny-stories").tool({ name: "now", description: "The time", run: () => 1 }).build();\nprint(agent.getToolMetadata("now").description);`,
  ),
  "Agent:invoke_tool": entry(
    "Runs a tool as the model would.",
    "what it gives",
    `local agent = Agent.builder():model("tiny-stories"):tool{name = "add", run = function(input) return input.a + input.b end}:build()\nprint(agent:invoke_tool("add", {a = 1, b = 2}))`,
    `const agent = Agent.builder().model("tiny-stories").tool({ name: "add", run: ({ a, b }) => a + b }).build();\nprint(await agent.invokeTool("add", { a: 1, b: 2 }));`,
    "`agent-option`, and what the tool raises",
  ),
  "Agent:reset": entry("Forgets the conversation.", "nothing", `${agent}agent:reset()`, `${agentJs}agent.reset();`),
  "Agent:get_config": entry(
    "Settings, without secrets.",
    "`{name, description, provider?, model, device?, parameters, system_prompt?, base_url?, max_conversation_length, max_execution_time}`",
    `${agent}print(agent:get_config().max_execution_time)`,
    `${agentJs}print(agent.getConfig().max_execution_time);`,
  ),
  "Agent:get_state": entry(
    "Whether it answers at the moment.",
    "`ready`, `running` or `destroyed`",
    `${agent}print(agent:get_state())`,
    `${agentJs}print(agent.getState());`,
  ),
  "Agent:get_metrics": entry(
    "Counts and times of all its answers.",
    "`{calls, failures, prompt_tokens, completion_tokens, total_tokens, execution_time_ms, load_time_ms, average_time_ms}`",
    `${agent}print(agent:get_metrics().calls)`,
    `${agentJs}print(agent.getMetrics().calls);`,
  ),
  "Agent:destroy": entry(
    "Frees its name. Answers under way come to their end.",
    "nothing",
    `${agent}agent:destroy()\nprint(agent:get_state())`,
    `${agentJs}agent.destroy();\nprint(agent.getState());`,
  ),

  "Provider.list": entry(
    "Providers of the configuration.",
    "a list of `{name, provider_type, enabled, default_model?, capabilities}`",
    `for _, provider in ipairs(Provider.list()) do print(provider.name) end`,
    `for (const provider of Provider.list()) print(provider.name);`,
  ),
  "Provider.get": entry(
    "One of them.",
    "as in `list`, or nothing",
    `print(Provider.get("candle").provider_type)`,
    `print(Provider.get("candle").provider_type);`,
  ),
  "Provider.get_capabilities": entry(
    "What it can do here.",
    "`{supports_streaming, supports_multimodal, supports_tools, max_context_tokens?, available_models?}`, or nothing",
    `print(Provider.get_capabilities("candle").supports_streaming)`,
    `print(Provider.getCapabilities("candle").supports_streaming);`,
  ),
  "Provider.is_available": entry(
    "Whether it would answer: one look of at most 2 s, no completion.",
    "true or false",
    `print(Provider.is_available("candle"))`,
    `print(await Provider.isAvailable("candle"));`,
  ),

  "Config.get": same("The whole configuration. Secrets are `<REDACTED>`, here and below.", "a table", `print(Config.get().default_engine)`),
  "Config.to_json": same("The same as JSON.", "text", `print(Config.to_json())`),
  "Config.get_section": same("A part of it, such as `runtime`.", "a table, or nothing", `print(Config.get_section("runtime").log_level)`),
  "Config.get_default_engine": same(
    "The language of scripts that name none.",
    "`lua` or `javascript`",
    `print(Config.get_default_engine())`,
  ),
  "Config.get_provider": same("A provider's settings.", "a table, or nothing", `print(Config.get_provider("candle").device)`),
  "Config.list_providers": same("Names of providers.", "a list of texts", `print(Config.list_providers())`),
  "Config.get_security": same("What scripts may do.", "the section `runtime.security`", `print(Config.get_security().allow_file_access)`),
  "Config.is_file_access_allowed": same("Whether scripts may use files.", "true or false", `print(Config.is_file_access_allowed())`),
  "Config.is_network_access_allowed": same(
    "Whether scripts reach more than this machine.",
    "true or false",
    `print(Config.is_network_access_allowed())`,
  ),
  "Config.get_permissions": same(
    "What scripts may do with the configuration.",
    "`{read, modify_providers, modify_tools, modify_runtime, modify_security, access_secrets}`",
    `print(Config.get_permissions().modify_security)`,
  ),
  "Config.snapshot": entry(
    "Remembers the present providers.",
    "an id",
    `local id = Config.snapshot()\nConfig.restore_snapshot(id)`,
    `const id = Config.snapshot();\nConfig.restoreSnapshot(id);`,
  ),
  "Config.restore_snapshot": entry(
    "Goes back to them.",
    "nothing",
    `local id = Config.snapshot()\nConfig.set_provider("candle", {temperature = 0})\nConfig.restore_snapshot(id)`,
    `const id = Config.snapshot();\nConfig.setProvider("candle", { temperature: 0 });\nConfig.restoreSnapshot(id);`,
    "`script-argument`",
  ),
  "Config.set_provider": entry(
    "Adds a provider for this run, or changes model and sampling of one. Agents that were built before keep theirs.",
    "nothing",
    `Config.set_provider("candle", {default_model = "tiny-stories", temperature = 0})\nprint(Agent.builder():provider("candle"):build():get_config().model)`,
    `Config.setProvider("candle", { default_model: "tiny-stories", temperature: 0 });\nprint(Agent.builder().provider("candle").build().getConfig().model);`,
    "`script-denied`, `config-*`",
  ),
  "Config.set_security": entry(
    "Always raises: a script cannot widen what it may do.",
    "nothing",
    `print(select(2, pcall(Config.set_security, {})).code)`,
    `try {\n  Config.setSecurity({});\n} catch (error) {\n  print(error.code);\n}`,
    "`script-denied`",
  ),
  "Config.add_allowed_path": entry(
    "Always raises.",
    "nothing",
    `print(select(2, pcall(Config.add_allowed_path, "/")).code)`,
    `try {\n  Config.addAllowedPath("/");\n} catch (error) {\n  print(error.code);\n}`,
    "`script-denied`",
  ),

  ...Object.fromEntries(
    levels.map((level) => [
      `Logger.${level}`,
      entry(
        `A line in the log, at level \`${level}\`; secrets in it are \`<REDACTED>\`.`,
        "nothing",
        `Logger.${level}("read", {files = 3})`,
        `Logger.${level}("read", { files: 3 });`,
      ),
    ]),
  ),
  "Logger.set_level": same("Least level of this run; `--trace` still holds.", "nothing", `Logger.set_level("error")`),
  "Logger.get_level": same("That level.", "text", `print(Logger.get_level())`),
  "Logger.is_enabled": same("Whether a line of this level would be shown.", "true or false", `print(Logger.is_enabled("debug"))`),

  "Debug.log": same("An entry, kept and shown in the log.", "nothing", `Debug.log("info", "started", "main")`),
  ...Object.fromEntries(
    levels.map((level) => [`Debug.${level}`, same(`An entry at level \`${level}\`.`, "nothing", `Debug.${level}("started", "main")`)]),
  ),
  "Debug.log_with_data": entry(
    "An entry with data.",
    "nothing",
    `Debug.log_with_data("info", "read", {files = 3})`,
    `Debug.logWithData("info", "read", { files: 3 });`,
  ),
  "Debug.timer": entry(
    "Starts a timer.",
    "a `DebugTimer`",
    `local timer = Debug.timer("work")\nprint(timer:elapsed() >= 0)`,
    `const timer = Debug.timer("work");\nprint(timer.elapsed() >= 0);`,
  ),
  "DebugTimer:lap": entry(
    "Milliseconds since the lap before.",
    "a number",
    `print(Debug.timer("work"):lap() >= 0)`,
    `print(Debug.timer("work").lap() >= 0);`,
  ),
  "DebugTimer:elapsed": entry(
    "Milliseconds since its start.",
    "a number",
    `print(Debug.timer("work"):elapsed() >= 0)`,
    `print(Debug.timer("work").elapsed() >= 0);`,
  ),
  "DebugTimer:stop": entry(
    "Stops it; it then stays as it is.",
    "milliseconds since its start",
    `print(Debug.timer("work"):stop() >= 0)`,
    `print(Debug.timer("work").stop() >= 0);`,
  ),
  "Debug.set_level": same("Least level that is kept.", "nothing", `Debug.set_level("warn")`),
  "Debug.get_level": same("That level.", "text", `print(Debug.get_level())`),
  "Debug.set_enabled": same("Switches entries on and off.", "nothing", `Debug.set_enabled(false)`),
  "Debug.is_enabled": same("Whether they are on.", "true or false", `print(Debug.is_enabled())`),
  "Debug.dump": entry(
    "A value as JSON, indented by 2, without secrets.",
    "text",
    `print(Debug.dump({a = 1}))`,
    `print(Debug.dump({ a: 1 }));`,
  ),
  "Debug.dump_compact": entry("In one line.", "text", `print(Debug.dump_compact({a = 1}))`, `print(Debug.dumpCompact({ a: 1 }));`),
  "Debug.dump_verbose": entry(
    "With its kind, indented by 4.",
    "text",
    `print(Debug.dump_verbose({a = 1}))`,
    `print(Debug.dumpVerbose({ a: 1 }));`,
  ),
  "Debug.memory_stats": same(
    "What the script may hold, and how many entries are kept.",
    "`{limit_bytes, captured_entries}`",
    `print(Debug.memory_stats().limit_bytes)`,
  ),
  "Debug.get_captured_entries": entry(
    "The newest entries, or all.",
    "a list of `{level, message, module?, data?, timestamp}`",
    `Debug.info("started")\nprint(#Debug.get_captured_entries(1))`,
    `Debug.info("started");\nprint(Debug.getCapturedEntries(1).length);`,
  ),
  "Debug.clear_captured": same("Forgets them.", "nothing", `Debug.clear_captured()`),

  "Utils.uuid": same("A random identifier.", "text", `print(Utils.uuid())`),
  "Utils.now": same("Milliseconds since 1970.", "a number", `print(Utils.now())`),
  "Utils.timestamp": same("The time as ISO 8601, in UTC.", "text", `print(Utils.timestamp())`),
  "Utils.sleep": entry("Waits.", "nothing", `Utils.sleep(0.01)`, `await Utils.sleep(0.01);`),
  "Utils.sha256": same("The hash of a text in UTF-8.", "64 hex digits", `print(Utils.sha256("abc"))`),
  "Utils.base64_encode": same("A text as base64.", "text", `print(Utils.base64_encode("abc"))`),
  "Utils.base64_decode": same("And back.", "text", `print(Utils.base64_decode("YWJj"))`, "`script-argument`"),
  "Utils.trim": same("Without blanks at both ends.", "text", `print(Utils.trim("  a "))`),
  "Utils.split": same("The parts between separators.", "a list of texts", `print(Utils.split("a,b", ","))`),
  "Utils.read_stdin": entry(
    "What is left of standard input; empty in a page.",
    "text",
    `print(Utils.read_stdin())`,
    `print(await Utils.readStdin());`,
  ),
  "Utils.read_file": entry(
    "A file as text. Files need `runtime.security.allow_file_access`, and lie in `allowed_paths`, else beside the script.",
    "text",
    `Utils.write_file("note.txt", "hello")\nprint(Utils.read_file("note.txt"))`,
    `await Utils.writeFile("note.txt", "hello");\nprint(await Utils.readFile("note.txt"));`,
    "`script-denied`, `script-error`",
  ),
  "Utils.write_file": entry(
    "Writes a text to a file.",
    "nothing",
    `Utils.write_file("note.txt", "hello")`,
    `await Utils.writeFile("note.txt", "hello");`,
    "`script-denied`, `script-error`, `store-full`",
  ),
  "Utils.file_exists": entry(
    "Whether there is one.",
    "true or false",
    `print(Utils.file_exists("note.txt"))`,
    `print(await Utils.fileExists("note.txt"));`,
    "`script-denied`",
  ),
  "Utils.list_dir": entry(
    "Names in a folder; folders end in `/`.",
    "a list of texts",
    `print(#Utils.list_dir("."))`,
    `print((await Utils.listDir(".")).length);`,
    "`script-denied`, `script-error`",
  ),
  "Utils.env": same(
    "A variable that `runtime.security.allowed_env` names.",
    "text, or nothing",
    `print(Utils.env("LANG"))`,
    "`script-denied`",
  ),
  "Utils.platform": same("Where the script runs.", "`{name, language, version}`", `print(Utils.platform().language)`),

  "State.save": entry(
    "Keeps a value. With the backend `file` it is on the disk when this returns.",
    "nothing",
    `State.save("notes", "today", {rain = true})`,
    `State.save("notes", "today", { rain: true });`,
    `\`state-full\`, ${disabled}`,
  ),
  "State.load": same("A value that was kept.", "the value, or nothing", `print(State.load("notes", "today"))`, disabled),
  "State.delete": same("Forgets a value.", "whether there was one", `print(State.delete("notes", "today"))`, disabled),
  "State.list_keys": same("Keys of a scope, in order.", "a list of texts", `print(State.list_keys("notes"))`, disabled),
  "State.list_scopes": same("Scopes that hold values, in order.", "a list of texts", `print(State.list_scopes())`, disabled),
  "State.clear": same("Forgets a scope.", "how many values there were", `print(State.clear("notes"))`, disabled),
  ...sessions,
  ...rag,

  "Tool.list": entry(
    "The built-in tools that are switched on. Each is a member too, by its name in snake_case or camelCase: `Tool.calculator(params)`, `Tool.csv_analyzer.execute(params)`.",
    "a list of `{name, description, category, version, tags, parameters, output}`; the last two are JSON Schemas of what it takes and gives",
    `for _, tool in ipairs(Tool.list()) do print(tool.name) end`,
    `for (const tool of Tool.list()) print(tool.name);`,
  ),
  "Tool.get": entry(
    "One tool; its `execute(params)` runs it.",
    "a table as `Tool.list` has it, or nothing",
    `print(Tool.get("calculator"):execute({expression = "1+1"}).result)`,
    `print((await Tool.get("calculator").execute({ expression: "1+1" })).result);`,
  ),
  "Tool.execute": entry(
    "Runs a tool by the rules of the configuration. Input and output keep its schemas.",
    "what the tool gives; `result` is what was asked for",
    `print(Tool.execute("calculator", {expression = "2*(3+4)"}).result)`,
    `print((await Tool.execute("calculator", { expression: "2*(3+4)" })).result);`,
    "`tool-unknown`, `tool-disabled`, `tool-input`, `tool-failed`, `tool-limit`, `tool-rate`, `tool-denied`, `script-denied`, `net-*`",
  ),
  "Tool.exists": same("Whether there is a tool of this name.", "true or false", `print(Tool.exists("regex"))`),
  "Tool.connect": entry(
    "Takes the tools of a server of the Model Context Protocol that `tools.mcp.servers` lists: by its name, its command or its address. They are called `NAME_tool` then.",
    "`{name, tools}`: its name, and the names of its tools",
    `local ok, e = pcall(Tool.connect, "garden")\nprint(ok and e.tools[1] or e.code)`,
    `try {\n  print((await Tool.connect("garden")).tools[0]);\n} catch (e) {\n  print(e.code);\n}`,
    "`tool-denied`, `tool-package`, `tool-failed`, `tool-limit`, `script-denied`, `net-*`",
  ),
  "Tool.categories": same("Categories with the number of their tools.", "a list of `{name, tools}`", `print(Tool.categories())`),
  "Tool.discover": entry(
    "Tools of a category or with a tag.",
    "a list as of `Tool.list`",
    `print(#Tool.discover({category = "data"}))`,
    `print(Tool.discover({ category: "data" }).length);`,
  ),

  ...Object.fromEntries(
    ["sequential", "conditional", "loop", "parallel"].map((type) => {
      const more =
        /** @type {Record<string, string>} */ ({ conditional: "condition = true, then_", loop: "range = {to = 2}, " })[type] ?? "";
      const table = (/** @type {string} */ name) => `{${more}steps = {{name = "a", ${name} = "calculator", input = {expression = "1+1"}}}}`;
      const js = table("tool").replaceAll("{{name", "[{ name").replaceAll("}}}}", "} }] }").replaceAll(" = ", ": ");
      return [
        `Workflow.${type}`,
        entry(
          `A workflow of this type; [workflows.md](workflows.md) says what it has.`,
          "a workflow",
          `print(Workflow.${type}(${table("tool")}):execute().success)`,
          `print((await Workflow.${type}(${js}).execute()).success);`,
          "`workflow-option`",
        ),
      ];
    }),
  ),
  "Workflow.builder": entry(
    "Begins a workflow.",
    "a builder",
    `local flow = Workflow.builder():add_step({name = "a", tool = "calculator", input = {expression = "1+1"}}):build()`,
    `const flow = Workflow.builder().addStep({ name: "a", tool: "calculator", input: { expression: "1+1" } }).build();`,
  ),
  "Workflow.list": same("Workflows of this script.", "a list of `{name, description, type, state, steps}`", `print(Workflow.list())`),
  "Workflow.get": entry(
    "A workflow by its name.",
    "a workflow, or nothing",
    `print(Workflow.get("nobody") == nil)`,
    `print(Workflow.get("nobody") === undefined);`,
  ),
  "Workflow.remove": same("Frees a name.", "whether it was there", `print(Workflow.remove("nobody"))`),
  "Workflow.types": same("Types of workflows.", "a list of texts", `print(Workflow.types())`),
  ...Object.fromEntries(
    Object.entries({
      name: ["Its name; default `workflow_` and eight letters.", '"flow"'],
      description: ["For people.", '"Adds"'],
      type: ["Where the parts do not say it: `parallel`.", '"parallel"'],
      error_strategy: ["`fail_fast`, `continue` or `retry`.", '"continue"'],
      max_attempts: ["Tries of a step with `retry`, default 3.", "2"],
      retry_delay_ms: ["Wait before the second try, default 100.", "10"],
      timeout_ms: ["Of the whole, default 300000.", "1000"],
      max_iterations: ["Of a loop, default 1000.", "10"],
      max_concurrency: ["Steps at once, default 4.", "2"],
      condition: ["Makes it conditional: a function, a `{{path}}`, true or false, or `{value, is, to}`.", "true"],
      add_step: ["A step.", '{name = "a", tool = "calculator"}'],
      add_then_step: ["A step where the condition holds.", '{name = "a", tool = "calculator"}'],
      add_else_step: ["A step where it does not.", '{name = "a", tool = "calculator"}'],
      with_range: ["Makes it a loop over numbers; both ends count.", "1, 3"],
      with_collection: ["Makes it a loop over a list, or over what a `{{path}}` leads to.", "{1, 2}"],
      with_while: ["Makes it a loop while a condition holds.", "false"],
    }).map(([name, [says = "", value = ""]]) => [
      `WorkflowBuilder:${name}`,
      entry(
        says,
        "the builder",
        `local builder = Workflow.builder():${name}(${value})`,
        `const builder = Workflow.builder().${name}(${value.startsWith("{name") ? '{ name: "a", tool: "calculator" }' : value === "{1, 2}" ? "[1, 2]" : value});`,
      ),
    ]),
  ),
  "WorkflowBuilder:build": entry(
    "Checks the parts.",
    "a workflow",
    `${flow}print(flow:get_state())`,
    `${flowJs}print(flow.getState());`,
    "`workflow-option`",
  ),
  "Workflow:execute": entry(
    "Runs its steps.",
    "`{name, type, success, output, outputs, steps, iterations?, branch?, duration_ms}`",
    `${flow}print(flow:execute({n = 1}).output.result)`,
    `${flowJs}print((await flow.execute({ n: 1 })).output.result);`,
    "`workflow-failed`, `workflow-timeout`, `workflow-limit`, `workflow-option`, `run-aborted`",
  ),
  "Workflow:get_info": entry(
    "What it is made of.",
    "`{name, description, type, state, steps}`",
    `${flow}print(flow:get_info().type)`,
    `${flowJs}print(flow.getInfo().type);`,
  ),
  "Workflow:get_output": entry(
    "Output of a step in the last run that came to its end.",
    "what the step gave, or nothing",
    `${flow}print(flow:get_output("a") == nil)`,
    `${flowJs}print(flow.getOutput("a") === undefined);`,
  ),
  "Workflow:get_all_outputs": entry(
    "The same of all steps.",
    "a table by step",
    `${flow}print(flow:get_all_outputs())`,
    `${flowJs}print(flow.getAllOutputs());`,
  ),
  "Workflow:get_state": entry(
    "Where it is.",
    "`ready`, `running`, `completed` or `failed`",
    `${flow}print(flow:get_state())`,
    `${flowJs}print(flow.getState());`,
  ),
  "Workflow:validate": entry(
    "What is wrong with a workflow is said when it is made.",
    "true",
    `${flow}print(flow:validate())`,
    `${flowJs}print(flow.validate());`,
  ),
};

/** In the engines of scripts themselves. */
const inGuests = [
  ["print(…)", "Shows values: tables and objects as JSON, indented by 2; others as the language does."],
  [
    "JSON.parse(text)",
    "The value of a JSON text; `script-json` with the position for another text. Lists are marked, so that `[]` stays one.",
  ],
  ["JSON.stringify(value, [indent])", "A value as JSON."],
  ["JSON.null", "JSON's null, which is not Lua's nil."],
  ["JSON.array(table)", "Marks a table of Lua as a list."],
  [
    "Streaming.create(function)",
    "`{next(), isDone(), collect()}` over what the function yields: `Streaming.yield(value)` in Lua, a generator function in JavaScript.",
  ],
  ["Debug.stackTrace()", "Where the script is at the moment, as text; also `stack_trace`."],
  ["ARGS", "`ARGS[0]` is the script, `ARGS[1]` … its operands, `ARGS.name` the named ones; Lua has `arg` too."],
];

/**
 * @typedef {{ name: string, expects: string, isOptional: boolean, fields?: readonly Parameter[] }} Parameter
 * @param {{ manifest: Record<"globals" | "classes", Record<string, Record<string, string>>> & { waits: readonly string[] }, find(name: string): { parameters: readonly Parameter[] } | undefined }} bound
 * @param {(name: string) => readonly string[]} spellings
 * @param {(name: string, parameters: readonly Parameter[]) => string} signature
 */
export function globalsPage({ manifest, find }, spellings, signature) {
  const waits = new Set(manifest.waits);
  const cell = (/** @type {string} */ text) => text.replaceAll("|", "\\|");
  const part = (/** @type {string} */ full) => {
    const { says, returns, errors, lua, js } = /** @type {Entry} */ (documented[full]);
    const parameters = find(full)?.parameters ?? [];
    const own = full.includes(":") ? parameters.slice(1) : parameters;
    const rows = own.flatMap((each) => [
      `| \`${each.name}\` | ${cell(each.expects)}${each.isOptional ? ", may be left out" : ""} |`,
      ...(each.fields ?? []).map(
        (field) => `| \`${each.name}.${field.name}\` | ${cell(field.expects)}${field.isOptional ? ", may be left out" : ""} |`,
      ),
    ]);
    const names = [...new Set(spellings(full.split(/[.:]/)[1] ?? ""))];
    const also = names.length > 1 ? ` Also \`${names[1]}\`.` : "";
    return [
      `### \`${signature(full, parameters)}\`${waits.has(full) ? " ⧗" : ""}`,
      `${says}${also}`,
      ...(rows.length > 0 ? [`| argument | |\n|---|---|\n${rows.join("\n")}`] : []),
      ...(returns ? [`Gives ${returns}.`] : []),
      ...(errors ? [`Errors: ${errors}.`] : []),
      `\`\`\`lua\n${lua}\n\`\`\``,
      `\`\`\`js\n${js}\n\`\`\``,
    ].join("\n\n");
  };
  const setters = Object.keys(builderValues)
    .sort()
    .map((name) => {
      const [says, lua] = /** @type {[string, string, string]} */ (builderValues[name]);
      return `| \`${name}(${cell(lua)})\` | ${cell(says)} |`;
    });
  const section = (/** @type {string} */ title, /** @type {readonly string[]} */ names) => `## ${title}\n\n${names.map(part).join("\n\n")}`;
  const inGroup = (/** @type {Record<string, string>} */ members) => [...new Set(Object.values(members))];
  const objects = Object.entries(manifest.classes).map(([name, members]) => {
    if (name !== "AgentBuilder") return section(`Objects of \`${name}\``, inGroup(members));
    const table = `Each gives the builder again; a wrong value is \`agent-option\`. Parameters have the ranges of [parameters.md](parameters.md).\n\n| method | |\n|---|---|\n${setters.join("\n")}`;
    return `## Objects of \`AgentBuilder\`\n\n${table}\n\n${part("AgentBuilder:build")}`;
  });
  return `<!-- Written by tools/generate.mjs from src/core/scripts/globals and tools/script-globals.mjs. -->

# Globals of scripts

The same in Lua and JavaScript. Methods are called as \`agent:execute(…)\` in Lua, \`agent.execute(…)\` in JavaScript. Every name of a function or an option has both spellings, \`list_keys\` and
\`listKeys\`; fields of results are snake_case. ⧗ takes time: in JavaScript it gives a promise, in Lua the call waits. Errors are raised (\`pcall\`, \`try\`) and
have \`code\`, \`message\`, \`hint\`, \`commands\`, \`retryable\` and \`details\`; a wrong argument is \`script-argument\`. \`?\` marks a field that may be absent.

${Object.entries(manifest.globals)
  .map(([name, members]) => section(`\`${name}\``, inGroup(members)))
  .join("\n\n")}

${objects.join("\n\n")}

## In the language

| | |
|---|---|
${inGuests.map(([name, says]) => `| \`${name}\` | ${says} |`).join("\n")}
`;
}
