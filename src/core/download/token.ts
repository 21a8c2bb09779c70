/** Tokens as a header can carry them. One that cannot must fail here: the error of a header shows its value. */
import { SpellError, type SpellErrorOptions } from "../errors.ts";
import type { Action } from "../spec/action.ts";

export const setHubToken: Action = { kind: "set-variable", name: "HF_TOKEN" };

/** Characters of the longest token; headers of some kilobytes are refused by servers. */
const longestToken = 8192;

/**
 * @param text as it was given; the space around it does not count
 * @param name of what holds it, for messages: a variable, a file, an option
 * @param advice default: set the hub's token
 * @returns undefined where there is none
 * @throws SpellError net-auth; it never shows the token
 */
export function sendableToken(
  text: string | undefined,
  name: string,
  advice: Pick<SpellErrorOptions, "hint" | "actions"> = { actions: [setHubToken] },
): string | undefined {
  const token = text?.trim() ?? "";
  if (token === "") return undefined;
  const at = token.length > longestToken ? longestToken : token.search(/[^\x21-\x7e]/);
  if (at < 0) return token;
  const message = `${name} is not sent: expected one line of printable ASCII, got ${described(token, at)}`;
  throw new SpellError("net-auth", message, { where: name, ...advice, details: { variable: name, position: at } });
}

function described(token: string, at: number): string {
  if (at === longestToken) return `more than ${longestToken} characters`;
  const point = token.codePointAt(at) ?? 0;
  const what = /[\r\n]/.test(token.charAt(at)) ? "a second line" : `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  return `${what} after character ${at}`;
}
