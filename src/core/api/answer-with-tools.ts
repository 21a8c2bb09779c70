/** One answer of a model whose tools the program gave to be run. */
import type { ChatMessage, GenerateOptions, GenerateResult, Prompt, RunnableTool, Tool } from "../spec/generate.ts";
import { asMessages, checkPrompt, wrongOption } from "../text/check-call.ts";
import { checkTools } from "../text/check-tools.ts";
import { runWithTools, type ToolStep, toolLimits } from "../tools/loop.ts";

/** @throws SpellError run-option for tools that cannot be run; of `answer` */
export async function answerWithTools(
  prompt: Prompt,
  call: Omit<GenerateOptions, "tools"> & { readonly tools?: readonly (Tool | RunnableTool)[] | undefined },
  mostCalls: number | undefined,
  now: () => number,
  answer: (prompt: Prompt, call: GenerateOptions) => Promise<GenerateResult>,
): Promise<GenerateResult & { readonly steps: readonly ToolStep[] }> {
  const maxToolCalls = mostCalls ?? toolLimits.maxToolCalls;
  if (!Number.isInteger(maxToolCalls) || maxToolCalls < 0 || maxToolCalls > 1000)
    throw wrongOption("maxToolCalls", "an integer, 0 … 1000", maxToolCalls);
  const tools = (call.tools ?? []).map(runnable);
  checkTools({ ...call, tools: tools.map(({ execute: _, ...tool }) => tool) });
  if (call.continueLast === true) throw wrongOption("continueLast", "none beside tools that are run", true);
  const asked = checkPrompt(prompt);
  const messages: readonly ChatMessage[] = typeof asked === "string" ? [{ role: "user", content: asked }] : asked;
  const { result, steps } = await runWithTools(messages, {
    tools,
    toolChoice: call.toolChoice,
    limits: { ...toolLimits, maxToolCalls },
    signal: call.signal,
    now,
    ask: (said, turn) => answer(asMessages(said), { ...call, ...turn }),
  });
  return { ...result, steps };
}

function runnable(tool: Tool | RunnableTool, i: number): RunnableTool {
  if ("execute" in tool && typeof tool.execute === "function") return tool;
  throw wrongOption(`tools[${i}].execute`, "a function, as other tools of this call have", "execute" in tool ? tool.execute : undefined);
}
