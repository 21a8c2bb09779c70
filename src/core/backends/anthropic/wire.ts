/** The wire of Anthropic's messages. Source: its API reference, version 2023-06-01. */
import { SpellError } from "../../errors.ts";
import type { GenerateOptions } from "../../spec/generate.ts";
import { splitLast } from "../../text/check-call.ts";
import { splitParameters, stopsOf } from "../../text/known-parameters.ts";
import type { NumberParameter } from "../../text/parameters.ts";
import { plainTool } from "../../tools/messages.ts";
import type { Json } from "../answer-values.ts";
import type { ServedForm, Wire } from "../server/wire.ts";
import { messagesOf, systemOf } from "./messages.ts";
import { readEvents } from "./read.ts";
import { createThoughts } from "./thoughts.ts";

const known: Readonly<Partial<Record<NumberParameter, string>>> = {
  maxTokens: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
};

/** as everywhere, where nobody says more; the service wants a number */
const usualTokens = 512;

/** @param isPage the service answers pages only where they say that their user's own key is sent */
export function anthropicWire(isPage: boolean): Wire {
  const thoughts = createThoughts();
  return {
    modelsPath: "/v1/models?limit=1000",
    headers: { "anthropic-version": "2023-06-01", ...(isPage && { "anthropic-dangerous-direct-browser-access": "true" }) },
    optionNames: { ...Object.fromEntries(Object.entries(known).map(([name, field]) => [field, name])), stop_sequences: "stop" },
    secret: (key) => ({ secret: key, secretHeader: "x-api-key" }),
    write(model, prompt, options, form) {
      refuse(options);
      const { sent, ignored } = splitParameters({ maxTokens: usualTokens, ...options }, known);
      const stop = stopsOf(options);
      if (options.continueLast === true) splitLast(prompt); // what ends with its own words is gone on with there
      const messages = typeof prompt === "string" ? [{ role: "user", content: prompt } as const] : prompt;
      const system = systemOf(messages, options.system);
      return {
        path: "/v1/messages",
        body: {
          model,
          stream: true,
          ...sent,
          ...(system !== "" && { system }),
          ...(stop.length > 0 && { stop_sequences: stop }),
          ...(form === undefined ? toolsOf(options) : formOf(options, form)),
          messages: messagesOf(messages, thoughts),
        },
        ignored,
        read: (events, failures) => readEvents(events, failures, thoughts, form === undefined ? undefined : answerTool),
      };
    },
  };
}

function toolsOf({ tools = [], toolChoice = "auto", parallelToolCalls }: GenerateOptions): Json {
  if (tools.length === 0) return {};
  const words = { auto: "auto", none: "none", required: "any" } as const;
  const choice = typeof toolChoice === "string" ? { type: words[toolChoice] } : { type: "tool", name: toolChoice.name };
  const alone = parallelToolCalls === false && toolChoice !== "none" ? { disable_parallel_tool_use: true } : {};
  return {
    tools: tools.map(plainTool).map(({ name, description, schema }) => ({
      name,
      ...(description !== undefined && { description }),
      input_schema: schema,
    })),
    tool_choice: { ...choice, ...alone },
  };
}

/** The answer is the input of a tool that has to be called; beside tools of the caller, one of all. */
const answerTool = "give_the_answer";

function formOf(options: GenerateOptions, { schema }: ServedForm): Json {
  // what may not be called is left out: all that may come is the answer
  const { tools = [] } = options.toolChoice === "none" ? {} : (toolsOf(options) as { readonly tools?: readonly Json[] });
  const own = { name: answerTool, description: "Gives the answer.", input_schema: schema };
  return { tools: [...tools, own], tool_choice: tools.length === 0 ? { type: "tool", name: answerTool } : { type: "any" } };
}

function refuse({ raw, temperature = 0 }: GenerateOptions): void {
  if (raw === true) throw new SpellError("run-option", "raw: expected none, Anthropic takes messages alone", { where: "raw" });
  if (temperature > 1)
    throw new SpellError("run-option", `temperature: expected 0 … 1 for Anthropic, got ${temperature}`, { where: "temperature" });
}
