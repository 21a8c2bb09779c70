/** Names of models and groups as file names that every system accepts. */
import { SpellError } from "../../core/errors.ts";

/** Names of devices on Windows, with any extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** A file name that every system accepts and keeps apart from others: lower case, digits, `-_.`; everything else as %XX of its UTF-8. */
export function fileNameOf(text: string): string {
  const escapeByte = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  const plain = [...new TextEncoder().encode(text)].map((byte) =>
    /[a-z0-9_.-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : escapeByte(byte),
  );
  const first = plain[0];
  if (first === undefined || plain.join("").length > 200)
    throw new SpellError("internal-error", `manifest key: expected parts of 1–100 characters, got ${JSON.stringify(text.slice(0, 120))}`);
  // Windows drops a final dot; a folder must not look like one of our files
  if (first === "." || deviceName.test(text)) plain[0] = escapeByte(first.charCodeAt(0));
  const last = plain[plain.length - 1] ?? "";
  if (last === "." || /\.json$/.test(text)) plain[plain.length - 1] = escapeByte(last.charCodeAt(0));
  return plain.join("");
}

/** @returns undefined for names that fileNameOf does not make */
export function keyPartOf(name: string): string | undefined {
  try {
    const text = decodeURIComponent(name);
    return fileNameOf(text) === name ? text : undefined;
  } catch {
    return undefined;
  }
}
