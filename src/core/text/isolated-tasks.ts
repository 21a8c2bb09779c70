/**
 * The tasks that run where they can be ended from outside (a child process, a Web Worker): one entry for every host.
 * A host's isolate imports this file in its worker and forwards results and errors as plain data.
 */
import { SpellError, toSpellError } from "../errors.ts";
import { renderChatTemplate, type TemplateInput } from "./chat-template.ts";
import type { IsolatedTask, JqModule } from "./tool-tasks.ts";

export type IsolatedAnswer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** Imports what a task needs. @throws SpellError internal-error for an unknown one, tool-denied for jq where the host has none */
export async function loadIsolatedTask(task: string, jq?: JqModule): Promise<IsolatedTask> {
  if (task === "render-chat-template") return (payload) => renderChatTemplate(payload as TemplateInput);
  if (task === "regex" || task === "template" || task === "jq") return (await import("./tool-tasks.ts")).loadToolTask(task, jq);
  throw new SpellError("internal-error", `unknown isolated task ${task}`);
}

/** @param run the task on its payload @returns plain data only; never throws */
export function answerOf(run: () => unknown): IsolatedAnswer | Promise<IsolatedAnswer> {
  const failed = (error: unknown): IsolatedAnswer => ({ ok: false, error: toSpellError(error).toJSON() });
  try {
    const value = run();
    return value instanceof Promise ? value.then((later: unknown) => ({ ok: true, value: later }), failed) : { ok: true, value };
  } catch (error) {
    return failed(error);
  }
}
