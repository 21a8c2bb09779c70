/** What keeps secrets out of sight: by the name of their key at any depth, and user:password in an address. */
import { isSecret } from "./keys.ts";

export const mask = "********";

/** A copy of plain data with secrets masked; what holds none comes back as it is. */
export function maskSecrets(value: unknown): unknown {
  if (typeof value === "string") return maskAddress(value);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, inner] of Object.entries(value)) {
    copy[key] = isSecret(key) && typeof inner === "string" && inner !== "" ? mask : maskSecrets(inner);
  }
  return copy;
}

/** `https://user:password@host` to `https://********@host`. */
export function maskAddress(text: string): string {
  return text.includes("@") ? text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"'?#]+(:[^\s/@"'?#]*)?@/gi, `$1${mask}@`) : text;
}

/** A line of a configuration file as it may be shown: values of secret keys are gone, also in a line that is no valid TOML. */
export function maskLine(line: string): string {
  return maskAddress(line.replace(/((?:api_key|token|secret|password)["']?\s*=\s*)[^,}\s][^,}]*/gi, `$1${mask}`));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
