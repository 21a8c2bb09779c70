/** `LocalLLM`: models on this machine. */
import { createLocalLlm } from "../../api/local-llm.ts";
import { deviceChoices } from "../../spec/devices.ts";
import type { Prompt } from "../../spec/generate.ts";
import { parameterRules, presets } from "../../text/parameters.ts";
import { definedOnly } from "../../values.ts";
import {
  any,
  type Callback,
  callback,
  data,
  either,
  flag,
  integer,
  list,
  number,
  oneOf,
  optional,
  options,
  type Parameter,
  table,
  text,
} from "../arguments.ts";
import { type ScriptFunctions, waits } from "../bind.ts";
import { denied, permitModel, type ScriptRun, shownAbout, shownToScripts } from "./host.ts";

const parameters: readonly Parameter[] = [
  ...parameterRules.map(({ snakeName, min, max, integer: isWhole }) =>
    optional(isWhole ? integer(snakeName, min, max) : number(snakeName, min, max)),
  ),
  optional(either("stop", text("stop"), list("stop", text("stop")))),
  optional(oneOf("preset", Object.keys(presets))),
  optional(integer("context_size", 128, 2 ** 31 - 1)),
];

const spec = text("spec");
const backend = optional(text("backend"));

export function localLlmGlobal(run: ScriptRun): ScriptFunctions {
  const library = () =>
    createLocalLlm({
      ...run.spell,
      async generate(...call) {
        const answer = await run.spell.generate(...call);
        run.onDevice?.(answer.device);
        return answer;
      },
    });
  return {
    status: waits([backend], async (word) => shownAbout(await (word === undefined ? library().status() : library().status(word)), run)),
    list: waits([backend], async (word) => shownAbout(await library().list(word), run)),
    available: waits(
      [
        optional(
          options("filter", [optional(text("backend")), optional(text("kind")), optional(text("search")), optional(flag("recommended"))]),
        ),
      ],
      async (filter) => shownToScripts(await library().available(filter)),
    ),
    pull: waits(
      [
        spec,
        optional(
          options("options", [
            optional(flag("force")),
            optional(text("quantization")),
            optional(text("as")),
            optional(callback("on_progress")),
          ]),
        ),
      ],
      async (name, given) => {
        const { config, signal } = run;
        if (!config.config.runtime.security.allow_network_access)
          throw denied(`pull ${name}`, "runtime.security.allow_network_access", config);
        const { on_progress, ...rest } = given ?? {};
        const told = follow(on_progress as Callback | undefined, signal);
        try {
          return shownAbout(await library().pull(permitModel(name, run), { ...rest, signal: told.signal, on_progress: told.tell }), run);
        } catch (error) {
          throw told.failure() ?? error;
        }
      },
      { isUntimed: true },
    ),
    info: waits([spec], async (name) => shownAbout(await library().info(permitModel(name, run)), run)),
    remove: waits([spec], async (name) => shownAbout(await library().remove(permitModel(name, run)), run)),
    verify: waits([optional(spec)], async (name) =>
      shownAbout(await library().verify(name === undefined ? name : permitModel(name, run)), run),
    ),
    unload: waits([optional(spec)], async (name) => library().unload(name)),
    embed: waits(
      [
        spec,
        list("texts", text("text")),
        optional(
          options("options", [
            optional(flag("query")),
            optional(integer("dimensions", 1, 2 ** 20)),
            optional(flag("truncate")),
            optional(oneOf("device", deviceChoices)),
            optional(integer("context_size", 128, 2 ** 31 - 1)),
          ]),
        ),
      ],
      async (name, texts, given) => library().embed(permitModel(name, run), texts, { ...given, signal: run.signal }),
    ),
    rerank: waits(
      [
        spec,
        text("query"),
        list("texts", text("text")),
        optional(
          options("options", [
            optional(flag("truncate")),
            optional(oneOf("device", deviceChoices)),
            optional(integer("context_size", 128, 2 ** 31 - 1)),
          ]),
        ),
      ],
      async (name, query, texts, given) => library().rerank(permitModel(name, run), query, texts, { ...given, signal: run.signal }),
    ),
    generate: waits(
      [
        spec,
        either("prompt", text("prompt"), list("prompt", any("message"))),
        optional(
          options("options", [
            ...parameters,
            optional(text("system")),
            optional(oneOf("device", deviceChoices)),
            optional(flag("raw")),
            optional(list("tools", table("tool"))),
            optional(either("tool_choice", oneOf("tool_choice", ["auto", "none", "required"]), table("tool_choice"))),
            optional(flag("parallel_tool_calls")),
            optional(oneOf("reasoning", ["auto", "off"])),
            optional(data("json_schema")),
            optional(list("choices", text("choice"))),
            optional(text("regex")),
            optional(text("grammar")),
            optional(callback("on_token")),
          ]),
        ),
      ],
      async (name, prompt, given) => {
        const tools = (given?.tools as readonly Readonly<Record<string, unknown>>[] | undefined)?.map(({ schema, ...tool }) =>
          schema === undefined ? tool : { ...tool, inputSchema: schema },
        );
        const options = { ...given, ...(tools !== undefined && { tools }), signal: run.signal };
        const { tool_calls, json, ...result } = await library().generate(permitModel(name, run), prompt as Prompt, options);
        // what the model wrote keeps its names and nulls
        return { ...(shownToScripts(result) as object), ...definedOnly({ tool_calls, json }) };
      },
    ),
  };
}

/** Progress to a callback that may be slower than it: what comes meanwhile is left out. `false` ends the work, a failure too. */
function follow(tell: Callback | undefined, over: AbortSignal) {
  const stop = new AbortController();
  let failure: unknown;
  let isBusy = false;
  return {
    signal: AbortSignal.any([over, stop.signal]),
    failure: () => failure,
    tell(progress: unknown): void {
      if (tell === undefined || isBusy || stop.signal.aborted) return;
      isBusy = true;
      tell(shownToScripts(progress))
        .then(
          (answer) => void (answer === false && stop.abort()),
          (error: unknown) => {
            failure = error;
            stop.abort();
          },
        )
        .finally(() => {
          isBusy = false;
        });
    },
  };
}
