/** Bytes as text, and back. */
import { fromBase64 } from "../base64.ts";
import { toolFailed } from "./failure.ts";

/** @throws SpellError tool-failed */
export function bytesOfBase64(tool: string, text: string): Uint8Array {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/\s+/g, "");
  try {
    return fromBase64(plain);
  } catch (cause) {
    throw toolFailed(tool, `expected base64, got ${JSON.stringify(text.slice(0, 60))}`, cause);
  }
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns undefined for bytes that are no UTF-8 */
export function toText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
