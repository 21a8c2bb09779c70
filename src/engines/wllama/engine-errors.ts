/** What the engine says went wrong, as codes of ours. */
import { contextError, messageOf, SpellError } from "../../core/errors.ts";
import { badGrammar } from "../../core/grammar/gbnf.ts";
import type { Constraint } from "../../core/spec/grammar.ts";
import { runtime } from "./instance.ts";

type Device = "webgpu" | "wasm";

/** @param complaint what llama.cpp said of the file */
export function loadError(error: unknown, name: string, device: Device, complaint: string | undefined): SpellError {
  if (error instanceof SpellError) return error;
  const text = messageOf(error);
  if (/memory|allocat|out of bounds|grow/i.test(text)) {
    return new SpellError("device-memory", `${name}: no memory for the model in WebAssembly: ${text}`, { where: name, cause: error });
  }
  if (isTrap(error)) return crash(text, device, error);
  return new SpellError("gguf-metadata", `${name}: ${runtime} cannot load the model: ${complaint ?? text}`, { where: name, cause: error });
}

export function generationError(
  error: unknown,
  contextLength: number,
  device: Device,
  fail: (error: SpellError) => void,
  held?: Constraint,
): SpellError {
  if (error instanceof SpellError) return error;
  const text = messageOf(error);
  if (/parse grammar/i.test(text)) return badGrammar(error, held?.kind);
  const counts = /\((\d+) tokens?\) exceeds the available context size \((\d+) tokens?\)/.exec(text);
  if (counts !== null || /exceeds the available context|context size/i.test(text)) {
    return contextError(counts === null ? undefined : Number(counts[1]), contextLength);
  }
  if (!isTrap(error)) return new SpellError("run-crash", `${runtime}: ${text}`, { cause: error });
  const typed = crash(text, device, error);
  fail(typed);
  return typed;
}

export function crash(reason: string, device: Device, cause?: unknown): SpellError {
  if (device === "webgpu" && /device.{0,20}lost|lost.{0,20}device/i.test(reason)) {
    return new SpellError("device-lost", `webgpu is gone: ${reason}`, { details: { runtime }, cause });
  }
  return new SpellError("run-crash", `the engine (${runtime}) died: ${reason}`, { details: { runtime }, cause });
}

/** After a trap or an abort the instance is dead for good. */
function isTrap(error: unknown): boolean {
  return typeof error === "string" ? /crashed/.test(error) : error instanceof Error && /RuntimeError/.test(error.name);
}
