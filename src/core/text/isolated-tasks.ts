/**
 * The tasks that run where they can be ended from outside (a child process, a Web Worker): one entry for every host.
 * A host's isolate imports this file in its worker and forwards results and errors as plain data.
 */
import { SpellError, toSpellError } from "../errors.ts";
import { renderChatTemplate, type TemplateInput } from "./chat-template.ts";

export type IsolatedAnswer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** @returns plain data only; never throws */
export function runIsolatedTask(task: string, payload: unknown): IsolatedAnswer {
  try {
    if (task === "render-chat-template") return { ok: true, value: renderChatTemplate(payload as TemplateInput) };
    throw new SpellError("internal-error", `unknown isolated task ${task}`);
  } catch (error) {
    return { ok: false, error: toSpellError(error).toJSON() };
  }
}
