/** What a command needs of records that outlive a run. */
import { type ErrorCode, SpellError } from "../../core/errors.ts";
import { shell } from "./advice.ts";

/**
 * A command is a run of its own: what lives in memory is gone when it begins.
 * @param code of what is refused @param section "runtime.sessions"
 * @throws SpellError `code`
 */
export function needKept(code: ErrorCode, section: string, isOn: boolean, backendKey: string, backend: string): void {
  if (isOn && backend !== "memory") return;
  const message = isOn
    ? `${section}.${backendKey} is memory: nothing outlives the run that made it`
    : `switched off: ${section}.enabled is false, so nothing is kept`;
  const lines = [...(isOn ? [] : [`llmspell config set ${section}.enabled true`]), `llmspell config set ${section}.${backendKey} file`];
  throw new SpellError(code, message, {
    where: isOn ? `${section}.${backendKey}` : `${section}.enabled`,
    hint: "Keep it in a file:",
    actions: lines.flatMap((line) => shell(line)),
  });
}
