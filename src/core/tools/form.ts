/** How a model calls the tools of one call: what begins a call, what holds it to its form, and what reads it. */
import { SpellError } from "../errors.ts";
import type { GenerateOptions, ToolCall } from "../spec/generate.ts";
import type { CallForm, CallPiece } from "../text/answer.ts";
import { refuseForms } from "../text/check-tools.ts";
import { callGrammar } from "./call-grammar.ts";
import { type CallPart, createCallParser, mostCalls, newCallId } from "./call-parser.ts";
import { familyOf } from "./families.ts";
import { plainTool } from "./messages.ts";

type HeldForm = "jsonSchema" | "choices" | "regex" | "grammar";

/**
 * @returns undefined where nothing may be called
 * @throws SpellError run-option for a template whose calls have a form that is not known here
 */
export function callForm(
  template: string,
  options: Pick<GenerateOptions, "tools" | "toolChoice" | "parallelToolCalls" | HeldForm>,
): CallForm | undefined {
  const { tools = [], toolChoice = "auto" } = options;
  if (tools.length === 0 || toolChoice === "none") return undefined;
  const family = familyOf(template);
  if (family === undefined) {
    throw new SpellError(
      "run-option",
      `tools: expected none, got ${tools.length}; calls of this model have a form that is not known here`,
      {
        where: "tools",
      },
    );
  }
  refuseForms(options);
  const isForced = toolChoice !== "auto";
  const isMany = options.parallelToolCalls ?? !isForced;
  const callable = tools.map(plainTool).filter(({ name }) => typeof toolChoice === "string" || name === toolChoice.name);
  return {
    triggers: family.triggers,
    lead: isForced ? family.lead : undefined,
    holds: (begun) => ({ kind: "tools", grammar: callGrammar(callable, family, begun, isMany) }),
    read() {
      const parser = createCallParser(family, isMany ? mostCalls : 1);
      return { push: (text) => parser.push(text).map(piece), end: () => parser.end().map(piece) };
    },
  };
}

function piece(part: CallPart): CallPiece {
  if (part.type === "text") return { type: "text-delta", text: part.text };
  return { type: "tool-call", id: newCallId(), name: part.name, input: part.input } satisfies ToolCall;
}
