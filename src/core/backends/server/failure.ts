/** The error of a service's refusal, in its own words where it has some: they are shown, never read; and a key in them is masked. */
import { toBase64 } from "../../base64.ts";
import { mask } from "../../config/keys.ts";
import { SpellError, type SpellErrorOptions } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { type Json, parsed, textOf, wordsOf } from "../answer-values.ts";
import type { Refusal } from "./send.ts";

/** Whom a call is for. */
export interface Asked {
  /** name of the provider */
  readonly provider: string;
  readonly url: string;
  /** the model it is about */
  readonly model?: string | undefined;
  /** the variable of its key */
  readonly variable?: string | undefined;
  /** its key, which no message shows */
  readonly key?: string | undefined;
  /** the header of user and password, neither */
  readonly login?: string | undefined;
  /** Options of a call by the names that the service has for them. */
  readonly options?: Readonly<Partial<Record<string, string>>> | undefined;
}

const contextWords = /context[ _](length|window|size)|maximum context|prompt is too long|too many tokens/i;

/** @param refusal status 200 for an error inside a stream */
export function failureOf({ status, text, retryAfterMs }: Refusal, asked: Asked): SpellError {
  // before anything is cut: of a key that is cut in the middle the rest would stay
  const hidden = keyHider(asked)(text);
  const body = parsed(hidden);
  const given = isObject(body) && "error" in body ? body["error"] : body;
  const error: Json = isObject(given) ? given : {};
  const kind = `${textOf(error["type"]) ?? ""} ${textOf(error["code"]) ?? ""}`;
  const words = /^\s*</.test(hidden) ? "a web page" : hidden.trim() === "" ? "" : wordsOf(given ?? hidden);
  const { provider, url, model, variable } = asked;
  const { host } = new URL(url);
  const said = `${provider} at ${host} ${status === 200 ? "reports an error" : `answered ${status}`}${words === "" ? "" : `: ${words}`}`;
  const options: SpellErrorOptions = { where: host };

  if (status === 401 || status === 403 || /authentication_error|permission_error|invalid_api_key/.test(kind))
    return new SpellError("provider-unauthorized", said, {
      ...options,
      hint: `Check the key${variable === undefined ? "" : ` in ${variable}`}, and what it may use.`,
      actions: variable === undefined ? [{ kind: "show-config", section: "providers" }] : [{ kind: "set-variable", name: variable }],
    });
  if (status === 429 || status === 529 || /rate_limit|overloaded|insufficient_quota/.test(kind)) {
    const wait = retryAfterMs === undefined ? "" : `; it asks to wait ${Math.ceil(retryAfterMs / 1000)} s`;
    const isQuota = kind.includes("insufficient_quota");
    return new SpellError("provider-rate-limit", `${said}${wait}`, {
      ...options,
      hint: isQuota ? "The account has nothing left to spend; waiting does not help." : "Wait, then try again.",
      details: isQuota ? { isFinal: true } : undefined,
    });
  }
  if (model !== undefined && (/model_not_found|not_found_error/.test(kind) || (status === 404 && /model/i.test(words))))
    return noModel(provider, model, words);
  if (status === 404)
    return new SpellError("provider-error", said, { ...options, hint: `Check base_url: of most servers it ends in /v1; it is ${url}.` });
  if (kind.includes("context_length_exceeded") || (status === 400 && contextWords.test(words)))
    return new SpellError("run-context", said, { where: "prompt", hint: "Shorten the prompt, or ask for fewer tokens." });
  const param = textOf(error["param"]);
  const own = param === undefined ? undefined : asked.options?.[param];
  if (status === 400 && own !== undefined)
    return new SpellError("run-option", `${own}: ${said}`, {
      where: own,
      hint: `${model ?? "The model"} takes no such ${own}: leave it out or change it.`,
    });
  return new SpellError("provider-error", said, options);
}

/** @param words what the service says of it */
export function noModel(provider: string, model: string, words = ""): SpellError {
  return new SpellError("model-unknown", `${provider} has no model ${model}${words === "" ? "" : `: ${words}`}`, {
    where: model,
    hint: `Models of ${provider}:`,
    actions: [{ kind: "list", backend: provider }],
  });
}

/** @returns masks the key and what is sent of it, in capitals or not */
export function keyHider({ key, login }: Pick<Asked, "key" | "login">): (text: string) => string {
  const secrets = [key, key === undefined ? undefined : toBase64(new TextEncoder().encode(key)), login?.replace(/^Basic /, "")]
    .filter((secret) => secret !== undefined && secret.length > 3)
    .map((secret) => String(secret).replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  if (secrets.length === 0) return (text) => text;
  const found = new RegExp(secrets.join("|"), "gi");
  return (text) => text.replaceAll(found, mask);
}

/** What the network says, with a hint for servers instead of downloads. */
export function networkFailure(given: SpellError, { provider, url, key, login }: Asked): SpellError {
  const shown = keyHider({ key, login })(given.message);
  const { where, details, cause } = given;
  const error = shown === given.message ? given : new SpellError(given.code, shown, { where, details, cause });
  const hints: Readonly<Partial<Record<SpellError["code"], string>>> = {
    "net-offline": `Check the network, and that a server listens at ${url}.`,
    "net-timeout": "Try again, or raise timeout_seconds of the provider.",
    "net-stall": "Try again, or raise timeout_seconds of the provider.",
    "net-reset": "Try again.",
    "net-redirect": `A key and a prompt go to no other address. Where the service moved, change providers.${provider}.base_url.`,
  };
  const hint = hints[error.code];
  return hint === undefined ? error : error.with({ hint, actions: [{ kind: "show-config", section: "providers" }] });
}
