/** Bytes as text, and back. */
import { toolFailed } from "./failure.ts";

export function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  // fewer at once than a call has arguments
  for (let at = 0; at < bytes.length; at += 8192) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return btoa(pieces.join(""));
}

/** @throws SpellError tool-failed */
export function fromBase64(tool: string, text: string): Uint8Array {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/\s+/g, "");
  try {
    return Uint8Array.from(atob(plain), (sign) => sign.charCodeAt(0));
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
