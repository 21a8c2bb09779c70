/** A conversation with a model: messages, settings, counts. It prints nothing and knows no commands. */
import { SpellError } from "../../core/errors.ts";
import type { GenerateOptions, Message, Usage } from "../../core/spec/generate.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import type { StreamPart } from "../../core/spec/stream-part.ts";

export interface Conversation {
  model: LanguageModel;
  system: string | undefined;
  /** sampling options of every turn; `system` is kept apart */
  options: GenerateOptions;
  messages: readonly Message[];
  /** the latest question, while it has no answer */
  unanswered?: Turn | undefined;
  /** name under which what the model computed is kept */
  save?: string | undefined;
  /** of all turns together */
  usage: Usage;
}

/** A question with what stood before it. */
interface Turn {
  readonly content: string;
  readonly before: readonly Message[];
}

export function createConversation(model: LanguageModel, { system, ...options }: GenerateOptions): Conversation {
  return { model, system, options, messages: [], usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 } };
}

/** The latest question with what stood before it; undefined where nothing was asked. */
export function lastTurn({ messages, unanswered }: Conversation): Turn | undefined {
  // as long as nothing else became of the conversation
  if (unanswered?.before === messages) return unanswered;
  const at = messages.findLastIndex(({ role }) => role === "user");
  const content = messages[at]?.content;
  return typeof content === "string" ? { content, before: messages.slice(0, at) } : undefined;
}

/**
 * One turn: yields what the model says and keeps it. A turn that is aborted keeps its text; one that fails, is aborted before any text came, or
 * ends without an answer to its thinking, leaves the conversation as it was.
 * @param before what the turn follows; default: all messages
 * @throws SpellError of LanguageModel.stream, run-aborted included
 */
export async function* takeTurn(
  conversation: Conversation,
  content: string,
  signal: AbortSignal,
  before: readonly Message[] = conversation.messages,
): AsyncGenerator<StreamPart, void, undefined> {
  const { model, system, options } = conversation;
  const messages = [...before, { role: "user", content } as const];
  let text = "";
  let isMissing = false;
  conversation.unanswered = { content, before };
  const keep = (): void => {
    conversation.unanswered = undefined;
    conversation.messages = [...messages, { role: "assistant", content: text }];
  };
  try {
    // Raw text has no roles: every turn stands alone.
    const prompt = options.raw === true ? content : messages;
    const turn = { ...options, system: options.raw === true ? undefined : system, save: conversation.save, signal };
    for await (const part of model.stream(prompt, turn)) {
      if (part.type === "text-delta") text += part.text;
      if (part.type === "warning" && part.code === "answer-missing") isMissing = true;
      if (part.type === "stream-end") {
        const { usage } = conversation;
        conversation.usage = {
          promptTokens: usage.promptTokens + part.usage.promptTokens,
          completionTokens: usage.completionTokens + part.usage.completionTokens,
          totalTokens: usage.totalTokens + part.usage.totalTokens,
          cachedTokens: (usage.cachedTokens ?? 0) + (part.usage.cachedTokens ?? 0),
        };
        if (!isMissing) keep();
      }
      yield part;
    }
  } catch (error) {
    if (text !== "" && error instanceof SpellError && error.code === "run-aborted") keep();
    throw error;
  }
}
