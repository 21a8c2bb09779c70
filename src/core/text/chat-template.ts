/**
 * Renders a model's chat template, which is code from a stranger: @huggingface/jinja only, never a browser's or Node's own evaluation.
 * This file runs inside an isolate (text/isolated-tasks.ts); the time limit and the memory limit are enforced from outside.
 */
import { Template, tokenize } from "@huggingface/jinja";
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Message } from "../spec/generate.ts";

export interface TemplateInput {
  readonly template: string;
  readonly messages: readonly Message[];
  readonly bosToken: string;
  readonly eosToken: string;
}

/** The part of the interpreter's token that is looked at; its published types do not resolve here. */
interface TemplateToken {
  readonly type: string;
  readonly value: string;
}

/** Names that reach for a host object where an interpreter is careless; no published template uses them. */
const forbiddenName = /^(__\w+__|constructor|prototype|__proto__)$/;

/**
 * @returns the prompt text, ending where the assistant's answer begins
 * @throws SpellError template-parse (cannot be read, or raises an error of its own: details.raised), template-limit (source or output too large, nesting too deep)
 */
export function renderChatTemplate(input: TemplateInput): string {
  if (input.template.length > limits.templateSourceCharacters) {
    throw new SpellError(
      "template-limit",
      `the chat template has ${input.template.length.toLocaleString("en-US")} characters; at most ${limits.templateSourceCharacters.toLocaleString("en-US")} are read`,
    );
  }
  let text: string;
  try {
    const bad = tokenize(input.template).find((token: TemplateToken) => token.type === "Identifier" && forbiddenName.test(token.value));
    if (bad !== undefined) throw new SpellError("template-parse", `the chat template uses the name ${bad.value}, which no template needs`);
    text = new Template(input.template).render({
      messages: input.messages.map((message) => ({ ...message })),
      add_generation_prompt: true,
      bos_token: input.bosToken,
      eos_token: input.eosToken,
    });
  } catch (error) {
    throw templateError(error, input.template);
  }
  if (text.length > limits.templateOutputCharacters) {
    throw new SpellError(
      "template-limit",
      `the chat template wrote ${text.length.toLocaleString("en-US")} characters; at most ${limits.templateOutputCharacters.toLocaleString("en-US")} are taken`,
    );
  }
  return text;
}

/** A RangeError is the interpreter's stack or a string that grew past the engine's limit; everything else is a fault in the template, or its own refusal. */
function templateError(error: unknown, template: string): SpellError {
  if (error instanceof SpellError) return error;
  const text = (error instanceof Error ? error.message : String(error)).slice(0, 200);
  if (error instanceof RangeError) return new SpellError("template-limit", `the chat template needs too much: ${text}`, { cause: error });
  // The interpreter's own faults are SyntaxError and TypeError; a plain Error is what its raise_exception() throws.
  if (template.includes("raise_exception") && error instanceof Error && error.name === "Error") {
    return new SpellError("template-parse", `the chat template refuses these messages: ${text}`, {
      details: { raised: true },
      cause: error,
    });
  }
  return new SpellError("template-parse", `the chat template cannot be rendered: ${text}`, { cause: error });
}
