/** Messages to prompt text: control tokens broken, then the model's own chat template, in an isolate. Knows no runtime. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Isolate } from "../platform.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import { refuseToolMessages } from "../text/check-call.ts";
import { createDefuser } from "../text/defuse.ts";
import { type WrittenPrompt, warning } from "../text/handle-model.ts";
import type { GgufFacts } from "./gate.ts";

/** Writes prompts for one model; keeps its control tokens ready. */
export type PromptWriter = (prompt: ChatPrompt, options: Pick<GenerateOptions, "system" | "raw" | "signal">) => Promise<WrittenPrompt>;

/**
 * @returns a writer: `raw` text passes untouched; with a chat template, text is one user message; without one, text is continued as it is.
 * The writer throws SpellError run-option (roles, empty conversation), template-parse, template-limit, run-aborted.
 */
export function createPromptWriter(facts: GgufFacts, isolate: Isolate): PromptWriter {
  const defuse = createDefuser(facts.controlTokens);
  const { chatTemplate } = facts;

  return async (prompt, options) => {
    refuseToolMessages(prompt, "models of this kind");
    if (options.raw === true) {
      if (typeof prompt !== "string") throw new SpellError("run-option", "raw: expected text, got messages", { where: "raw" });
      return { text: prompt, warnings: [] };
    }
    let defused = false;
    const clean = (text: string): string => {
      const result = defuse(text);
      defused ||= result.found;
      return result.text;
    };
    const note = "the prompt holds the text of a control token; it was broken with U+200B, so that it stays text";
    const warnings = () => (defused ? [warning("prompt-defused", note)] : []);

    if (chatTemplate === undefined) return { text: clean(plainText(prompt, options.system)), warnings: warnings() };

    const messages = toMessages(prompt, options.system).map((message) => ({ role: message.role, content: clean(message.content) }));
    const render = (list: readonly ChatMessage[]): Promise<unknown> =>
      isolate.run(
        "render-chat-template",
        { template: chatTemplate, messages: list, bosToken: facts.bos?.text ?? "", eosToken: facts.eos?.text ?? "" },
        { timeoutMs: limits.templateMs, limitCode: "template-limit", signal: options.signal },
      );
    try {
      return { text: String(await render(messages)), warnings: warnings() };
    } catch (error) {
      const merged = error instanceof SpellError && error.details?.["raised"] === true ? mergeSystem(messages) : undefined;
      if (merged === undefined) throw error;
      const text = String(await render(merged));
      const moved = "the model's chat template takes no system message; it was put before the first user message";
      return { text, warnings: [...warnings(), warning("option-ignored", moved)] };
    }
  };
}

function toMessages(prompt: ChatPrompt, system: string | undefined): readonly ChatMessage[] {
  const list: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  return system === undefined || system === "" ? list : [{ role: "system", content: system }, ...list];
}

/** Without a template a conversation is continued as paragraphs: the model knows no roles. */
function plainText(prompt: ChatPrompt, system: string | undefined): string {
  if (typeof prompt === "string" && (system === undefined || system === "")) return prompt;
  return toMessages(prompt, system)
    .map((message) => message.content)
    .join("\n\n");
}

/** Some templates refuse a system message; the usual answer is to put it before the first user message. */
function mergeSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] | undefined {
  const [first, second, ...rest] = messages;
  if (first?.role !== "system" || second?.role !== "user") return undefined;
  return [{ role: "user", content: `${first.content}\n\n${second.content}` }, ...rest];
}
