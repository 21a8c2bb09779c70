/**
 * Renders a model's chat template, which is code from a stranger: @huggingface/jinja only, never a browser's or Node's own evaluation.
 * This file runs inside an isolate (text/isolated-tasks.ts); the time limit and the memory limit are enforced from outside.
 */
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { Raised, renderTemplate, TemplateFault } from "./jinja/interpreter.ts";
import { strftime } from "./jinja/strftime.ts";

export interface TemplateInput {
  readonly template: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  /** as the template reads them */
  readonly tools?: readonly unknown[] | undefined;
  /** false: the template's own switch, where it has one, says so */
  readonly enableThinking?: boolean | undefined;
  readonly bosToken: string;
  readonly eosToken: string;
}

/**
 * @returns the prompt text, ending where the assistant's answer begins
 * @throws SpellError template-parse (cannot be read, or raises an error of its own: details.raised), template-limit (source or output too large, nesting too deep)
 */
export function renderChatTemplate(input: TemplateInput): string {
  if (input.template.length > limits.templateSourceCharacters) {
    throw new SpellError(
      "template-limit",
      `the chat template has ${formatCount(input.template.length)} characters; at most ${formatCount(limits.templateSourceCharacters)} are read`,
    );
  }
  let text: string;
  try {
    // as transformers calls it: what a caller leaves out is None, not undefined
    const values = {
      messages: input.messages.map((message) => ({ ...message })),
      tools: input.tools ?? null,
      documents: null,
      add_generation_prompt: true,
      bos_token: input.bosToken,
      eos_token: input.eosToken,
      ...(input.enableThinking !== undefined && { enable_thinking: input.enableThinking }),
    };
    text = renderTemplate(input.template, values, (format) => strftime(new Date(), format));
  } catch (error) {
    throw templateError(error);
  }
  if (text.length > limits.templateOutputCharacters) {
    throw new SpellError(
      "template-limit",
      `the chat template wrote ${formatCount(text.length)} characters; at most ${formatCount(limits.templateOutputCharacters)} are taken`,
    );
  }
  return text;
}

/** A RangeError is the interpreter's stack, or a text that grew past a limit; everything else is a fault in the template, or its own refusal. */
function templateError(error: unknown): SpellError {
  const text = (error instanceof Error ? error.message : String(error)).slice(0, 200);
  if (error instanceof RangeError) return new SpellError("template-limit", `the chat template needs too much: ${text}`, { cause: error });
  if (error instanceof Raised) {
    return new SpellError("template-parse", `the chat template refuses these messages: ${text}`, {
      details: { raised: true },
      cause: error,
    });
  }
  const expression = error instanceof TemplateFault ? error.expression?.slice(0, 200) : undefined;
  const where = expression === undefined ? "" : `; at: ${expression}`;
  return new SpellError("template-parse", `the chat template cannot be rendered: ${text}${where}`, {
    cause: error,
    details: { expression },
  });
}
