/** A conversation as Anthropic takes it: the system apart, turns that alternate, the results of one step in one turn of the user. */
import type { ChatMessage } from "../../spec/generate.ts";
import type { Json } from "../answer-values.ts";
import { objectInput } from "../server/tool-calls.ts";
import type { Thoughts } from "./thoughts.ts";

export function systemOf(messages: readonly ChatMessage[], first: string | undefined): string {
  return [first, ...messages.filter(({ role }) => role === "system").map(({ content }) => content)]
    .filter((text) => text !== undefined && text !== "")
    .join("\n\n");
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: Json[];
}

export function messagesOf(messages: readonly ChatMessage[], thoughts: Pick<Thoughts, "of">): readonly Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const content = blocksOf(message, thoughts);
    // an empty text is refused there, and says nothing
    if (message.role === "system" || content.length === 0) continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content: [...content] });
  }
  return turns;
}

function blocksOf({ role, content, toolCalls = [], toolCallId }: ChatMessage, thoughts: Pick<Thoughts, "of">): readonly Json[] {
  if (role === "tool") return [{ type: "tool_result", tool_use_id: toolCallId, content }];
  const [first] = toolCalls;
  return [
    ...(first === undefined ? [] : thoughts.of(first.id)),
    ...(content === "" ? [] : [{ type: "text", text: content }]),
    ...toolCalls.map(({ id, name, input }) => ({ type: "tool_use", id, name, input: objectInput(input) })),
  ];
}
