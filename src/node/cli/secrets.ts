/** Secrets of this run beside those of the configuration: variables, by their names, and the file with the hub's token. */
import { hubTokenText } from "../hugging-face.ts";
import { passwordOf, proxyVariables } from "../proxy.ts";
import type { Context } from "./context.ts";

const secretName = /(key|token|secret|passw(or)?d|passphrase)$/i;
/** What people write where a program demands a key and the server behind it none; as a secret it would make holes in every list. */
const placeholder = "ollama";

export function secretsOf(env: Context["env"]): readonly string[] {
  const named = Object.entries(env).flatMap(([name, value = ""]) => (secretName.test(name) && value.trim() !== placeholder ? [value] : []));
  const passwords = proxyVariables.map((name) => passwordOf(env[name] ?? ""));
  return [...named, ...passwords, hubTokenText(env) ?? ""].filter((text) => text.trim() !== "");
}
