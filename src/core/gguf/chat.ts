/** Messages to prompt text: control tokens broken, then the model's own chat template, in an isolate; and how its answer is read. Knows no runtime. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Isolate } from "../platform.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import type { AnswerForm } from "../text/answer.ts";
import { warning } from "../text/answer.ts";
import { refuseToolMessages, splitLast } from "../text/check-call.ts";
import { refuseTools } from "../text/check-tools.ts";
import { createDefuser } from "../text/defuse.ts";
import type { WrittenPrompt } from "../text/handle-model.ts";
import { endsInThought, marksOf, type ThinkingForm, thinkingOf } from "../text/thinking.ts";
import { readsTools, toolMarks } from "../tools/families.ts";
import { plainMessages, plainTool, type TemplateMessage, templateMessages, templateTools } from "../tools/messages.ts";
import type { GgufFacts } from "./gate.ts";

/** Writes prompts for one model; keeps its control tokens ready. */
export type PromptWriter = (prompt: ChatPrompt, options: WriteOptions) => Promise<WrittenPrompt>;

type WriteOptions = Pick<
  GenerateOptions,
  | "jsonSchema"
  | "choices"
  | "regex"
  | "grammar"
  | "system"
  | "raw"
  | "continueLast"
  | "reasoning"
  | "tools"
  | "toolChoice"
  | "parallelToolCalls"
  | "signal"
>;

/**
 * @returns a writer: `raw` text passes untouched; with a chat template, text is one user message; without one, text is continued as it is.
 * The writer throws SpellError run-option (roles, empty conversation), template-parse, template-limit, run-aborted.
 */
export function createPromptWriter(facts: GgufFacts, isolate: Isolate): PromptWriter {
  const { chatTemplate, controlTokens } = facts;
  const defuse = createDefuser(controlTokens);
  const defuseTools = createDefuser([...controlTokens, ...toolMarks]);
  const thinking = chatTemplate === undefined ? undefined : thinkingOf(chatTemplate);
  // a process or worker, which starts while the weights are loaded
  if (chatTemplate !== undefined) isolate.prepare?.();

  return async (prompt, options) => {
    const { raw = false, system, tools = [], reasoning, signal } = options;
    if (raw) {
      if (typeof prompt !== "string") throw new SpellError("run-option", "raw: expected text, got messages", { where: "raw" });
      refuseTools(options, "a raw prompt says by itself what a model may call");
      return { text: prompt, warnings: [] };
    }
    let defused = false;
    const clean = (text: string, breaks = defuse): string => {
      const result = breaks(text);
      defused ||= result.found;
      return result.text;
    };
    const note = "the prompt holds the text of a control token; it was broken with U+200B, so that it stays text";
    const warnings = () => (defused ? [warning("prompt-defused", note)] : []);

    if (chatTemplate === undefined) {
      refuseTools(options, "this model has no chat template, so it knows no tools");
      refuseToolMessages(prompt, "models without a chat template");
      if (options.continueLast === true) splitLast(prompt); // the text goes on with its last paragraph in any case
      return { text: clean(plainText(prompt, system)), warnings: warnings() };
    }

    const calls = tools.length === 0 ? undefined : (await import("../tools/form.ts")).callForm(chatTemplate, options);
    const last = options.continueLast === true ? splitLast(prompt) : undefined;
    const said = toMessages(last?.before ?? prompt, system);
    const known = tools.map(plainTool);
    const cleanTool = (text: string): string => clean(text, defuseTools);
    const isKnown = readsTools(chatTemplate);
    const messages = isKnown
      ? templateMessages(said, chatTemplate, clean, cleanTool)
      : plainMessages(said, known, chatTemplate, clean, cleanTool);
    const render = async (list: readonly TemplateMessage[]): Promise<string> =>
      String(
        await isolate.run(
          "render-chat-template",
          {
            template: chatTemplate,
            messages: list,
            tools: isKnown && known.length > 0 ? templateTools(known, cleanTool) : undefined,
            enableThinking: reasoning === "off" ? false : undefined,
            bosToken: facts.bos?.text ?? "",
            eosToken: facts.eos?.text ?? "",
          },
          { timeoutMs: limits.templateMs, limitCode: "template-limit", signal },
        ),
      );
    const written = (rendered: string): WrittenPrompt => {
      const text = last === undefined ? rendered : rendered + begunAnswer(rendered, last.begun, thinking, clean);
      // who has begun to answer has thought
      if (last !== undefined) return { text, warnings: warnings(), form: formOf(undefined, calls, controlTokens) };
      const isShut = thinking !== undefined && text.trimEnd().endsWith(thinking.close);
      const thinks = thinking === undefined || isShut ? undefined : { ...thinking, isOpen: endsInThought(text, thinking) };
      const hasSwitch = /\benable_thinking\b/.test(chatTemplate);
      const stays = "reasoning is not known to this model's chat template: it thinks as it does";
      return {
        text,
        warnings: [
          ...warnings(),
          ...(reasoning === "off" && thinks !== undefined && !hasSwitch ? [warning("option-ignored", stays, ["reasoning"])] : []),
        ],
        form: formOf(thinks, calls, controlTokens),
      };
    };
    try {
      return written(await render(messages));
    } catch (error) {
      const merged = error instanceof SpellError && error.details?.["raised"] === true ? mergeSystem(messages) : undefined;
      if (merged === undefined) throw error;
      const text = await render(merged);
      const moved = "the model's chat template takes no system message; it was put before the first user message";
      const result = written(text);
      return { ...result, warnings: [...result.warnings, warning("option-ignored", moved)] };
    }
  };
}

/** An answer that was begun, as its model would have written it: after the thought that stands there, or was opened. */
function begunAnswer(
  prompt: string,
  { content, reasoning = "" }: ChatMessage,
  thinking: ThinkingForm | undefined,
  clean: (text: string) => string,
): string {
  if (thinking === undefined) return clean(content);
  const { open, close, gap, plain } = thinking;
  const isOpen = endsInThought(prompt, thinking);
  const thought = isOpen || reasoning !== "" ? `${isOpen ? "" : `${open}\n`}${clean(reasoning)}\n${close}${gap}` : "";
  return thought + plain + clean(content);
}

function formOf(thinking: AnswerForm["thinking"], calls: AnswerForm["calls"], controlTokens: readonly string[]): AnswerForm | undefined {
  if (thinking === undefined && calls === undefined) return undefined;
  const marks = [...(thinking === undefined ? [] : marksOf(thinking)), ...(calls === undefined ? [] : toolMarks)];
  return { thinking, calls, marks: controlTokens.filter((token) => marks.includes(token)) };
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
function mergeSystem(messages: readonly TemplateMessage[]): readonly TemplateMessage[] | undefined {
  const [first, second, ...rest] = messages;
  if (first?.role !== "system" || second?.role !== "user") return undefined;
  return [{ role: "user", content: `${first.content}\n\n${second.content}` }, ...rest];
}
