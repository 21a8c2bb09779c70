/** Errors about a GGUF file: file, place, expected and got. */
import { type ErrorCode, SpellError, type SpellErrorOptions } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";

/** An error about one file. @param message the place, expected, got; the file's name is put before it */
export function ggufError(code: ErrorCode, source: Pick<ByteSource, "name">, message: string, options: SpellErrorOptions = {}): SpellError {
  return new SpellError(code, `${source.name}: ${message}`, { where: source.name, ...options });
}

/** Text from a file, quoted and at most 80 characters long: a key or a name may have 64 KiB. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
