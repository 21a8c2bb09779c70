/** Hides secrets: by the name of their key at any depth, and user:password in an address. */
import { isSecret, mask } from "./keys.ts";

/** A copy of plain data with secrets masked, whatever their type; what holds none comes back as it is. */
export function maskSecrets(value: unknown): unknown {
  if (typeof value === "string") return maskAddress(value);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, inner] of Object.entries(value)) copy[key] = isSecret(key) && isSet(inner) ? mask : maskSecrets(inner);
  return copy;
}

/** Whether a secret is set may be shown. */
function isSet(value: unknown): boolean {
  return value !== "" && value !== undefined && value !== null && typeof value !== "boolean";
}

/**
 * `https://user:password@host` to `https://********@host`. Passwords that should have been escaped may hold @, and also / ? or #, where
 * the text before is not a port.
 */
export function maskAddress(text: string): string {
  return text.includes("://") && text.includes("@") ? text.replace(/[^\s"']+/g, maskWord) : text;
}

/** A word is looked at once, from left to right, however long it is. */
function maskWord(word: string): string {
  const last = word.lastIndexOf("@");
  let shown = "";
  let from = 0;
  // the colon of the next address may be the end of this host
  for (let sign = word.indexOf("://"); sign >= 0 && sign < last; sign = word.indexOf("://", from - 1)) {
    const start = sign + "://".length;
    const [host = ""] = /^[^/?#]*/.exec(word.slice(start)) ?? [];
    const own = host.lastIndexOf("@");
    const isPassword = own < 0 && host.includes(":") && !/^\d*$/.test(host.slice(host.indexOf(":") + 1));
    const end = own >= 0 ? start + own : isPassword ? last : undefined;
    shown += word.slice(from, start) + (end === undefined ? host : mask);
    from = end ?? start + host.length;
  }
  return shown + word.slice(from);
}

/**
 * A line of a configuration file as it may be shown. What stands behind the name of a secret is gone up to the end of the line: the text may be
 * invalid TOML, so neither quotes nor commas tell where the secret ends.
 */
export function maskLine(line: string): string {
  return maskAddress(line.replace(secretInLine, `$1${mask}`)).replace(askedInAddress, `$1${mask}`);
}

/** What an address asks for: a key stands there with some services. */
const askedInAddress = /(:\/\/[^\s"'?#]{0,200}[?#])[^\s"']+/g;

/** Also the names that people write for `api_key`, and the key put where the name of its variable belongs. */
const secretInLine = /((?:key|token|secret|passw(?:or)?d|passphrase)(?:_env)?["']?(?:\s*[.:=]\s*|\s+(?=["'])))\S.*$/i;

/**
 * Whether the next line would stand inside a value that a secret key began. Reads invalid TOML too.
 * @param above all lines before it
 */
export function isInsideSecret(above: string): boolean {
  let key = "";
  let depth = 0;
  let quotes: string | undefined;
  for (const line of above.split("\n").slice(0, -1)) {
    let rest = line;
    if (quotes !== undefined) {
      const end = rest.indexOf(quotes);
      if (end < 0) continue;
      rest = rest.slice(end + quotes.length);
      quotes = undefined;
    } else if (depth === 0) {
      const sign = rest.search(/[=:]/);
      if (sign < 0) continue;
      key = rest.slice(0, sign + 1);
      rest = rest.slice(sign + 1);
    }
    for (const [token] of rest.matchAll(/"""|'''|"(?:\\.|[^"\\])*"?|'[^']*'?|#.*|[[\]{}]/g)) {
      if (quotes !== undefined) {
        if (token.startsWith(quotes)) quotes = undefined;
      } else if (token === '"""' || token === "'''") quotes = token;
      else if (token === "[" || token === "{") depth += 1;
      else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
    }
  }
  return (quotes !== undefined || depth > 0) && maskLine(`${key} x`).includes(mask);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
