/** Errors of tools. */
import { SpellError } from "../errors.ts";

/** What the input asks for cannot be done. @param message says expected and got */
export function toolFailed(tool: string, message: string, cause?: unknown): SpellError {
  return new SpellError("tool-failed", `${tool}: ${message}`, { where: tool, cause });
}

/** More than a tool takes or gives. */
export function toolLimit(tool: string, message: string): SpellError {
  return new SpellError("tool-limit", `${tool}: ${message}`, { where: tool });
}
