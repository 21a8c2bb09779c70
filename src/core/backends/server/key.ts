/** The key of a provider: looked up with its first use, and only for the origin that the provider is configured with. */
import type { HttpProvider } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import { isSafeForSecrets } from "../../download/request.ts";
import { sendableToken } from "../../download/token.ts";
import { SpellError } from "../../errors.ts";

/** Whose variable it is, and the only place where it goes by itself. */
const vendors: Readonly<Partial<Record<string, { readonly variable: string; readonly origin: string }>>> = {
  openai: { variable: "OPENAI_API_KEY", origin: "https://api.openai.com" },
  anthropic: { variable: "ANTHROPIC_API_KEY", origin: "https://api.anthropic.com" },
};

type Keyed = Pick<HttpProvider, "api_key" | "api_key_env"> & { readonly provider_type: string; readonly base_url?: string | undefined };

type Keys = Pick<ResolvedConfig, "config" | "get" | "variable">;

/** The variable that a provider's key is looked for in; undefined where it needs none. */
function keyVariable(provider: Keyed): string | undefined {
  return provider.api_key_env ?? vendors[provider.provider_type]?.variable;
}

/** The variable that a provider's key comes from; undefined where it needs none, or has one that was written down. */
export function variableInUse(resolved: Keys, name: string): string | undefined {
  const provider = providerOf(resolved.config, name) as Keyed | undefined;
  if (provider === undefined) return undefined;
  if ((provider.api_key ?? "") === "") return keyVariable(provider);
  return /^env:(.+)$/.exec(resolved.get(`providers.${name}.api_key`)?.origin ?? "")?.[1];
}

/** A built-in profile says the usual variable; it knows of no other address. */
function namedVariable(resolved: Keys, name: string, { api_key_env }: Keyed): string | undefined {
  return resolved.get(`providers.${name}.api_key_env`)?.origin.startsWith("profile:") === true ? undefined : api_key_env;
}

/** @returns undefined where there is none */
export function findKey(resolved: Keys, name: string): string | undefined {
  const provider = providerOf(resolved.config, name) as Keyed | undefined;
  if (provider === undefined) return undefined;
  const { api_key, base_url = "", provider_type } = provider;
  const api_key_env = namedVariable(resolved, name, provider);
  const vendor = vendors[provider_type];
  const own = resolved.get(`providers.${name}.api_key`);
  const isOfVendor = vendor !== undefined && own?.value === api_key && own?.origin === `env:${vendor.variable}`;
  // an empty one says that none is meant, not even that of a variable
  if (api_key === "") return undefined;
  if (api_key !== undefined && !isOfVendor) return api_key;
  const named = api_key_env === undefined ? undefined : resolved.variable(api_key_env);
  const isAtVendor = vendor !== undefined && URL.canParse(base_url) && new URL(base_url).origin === vendor.origin;
  return named ?? (isAtVendor ? (resolved.variable(vendor.variable) ?? api_key) : undefined);
}

/**
 * The key as it is sent.
 * @returns undefined for a server that needs none
 * @throws SpellError config-api-key-missing, naming the variable; config-value for an address that a key must not go to; net-auth for one that no header can carry
 */
export function sendableKey(resolved: Keys, name: string): string | undefined {
  const provider = providerOf(resolved.config, name) as Keyed | undefined;
  const variable = provider && keyVariable(provider);
  const where = `providers.${name}.api_key`;
  const advice = variable === undefined ? {} : { actions: [{ kind: "set-variable", name: variable } as const] };
  const key = sendableToken(findKey(resolved, name), where, { hint: "A key is one line of printable ASCII.", ...advice });
  const { base_url = "" } = provider ?? {};
  if (key === undefined) {
    if (variable === undefined) return undefined;
    const host = URL.canParse(base_url) ? new URL(base_url).host : base_url;
    const isElsewhere =
      provider !== undefined && namedVariable(resolved, name, provider) === undefined && resolved.variable(variable) !== undefined;
    const why = isElsewhere ? `${variable} goes to its own service alone` : `expected it in ${variable}`;
    throw new SpellError("config-api-key-missing", `provider '${name}' has no API key for ${host}: ${why}`, {
      where,
      hint: isElsewhere
        ? `Name it for this address: providers.${name}.api_key_env = "${variable}".`
        : `Set the variable, or providers.${name}.api_key; api_key_env names another variable.`,
      actions: isElsewhere ? [{ kind: "show-config", section: "providers" }] : [{ kind: "set-variable", name: variable }],
      details: { provider: name, variable },
    });
  }
  const { username = "", password = "" } = URL.canParse(base_url) ? new URL(base_url) : {};
  // one header carries both; a key that nobody named comes from the variable of the service
  if (username !== "" || password !== "")
    throw new SpellError("config-value", `providers.${name}.base_url: expected no user and password beside a key; got both`, {
      where: `providers.${name}.base_url`,
      hint: `Take them out of the address; or leave the key out${variable === undefined ? "" : `: unset ${variable}`}.`,
    });
  if (!URL.canParse(base_url) || isSafeForSecrets(new URL(base_url))) return key;
  throw new SpellError("config-value", `the key of '${name}' is not sent: ${new URL(base_url).origin} is neither https nor this machine`, {
    where: `providers.${name}.base_url`,
    hint: "Give the address with https://, reach the server through a tunnel to this machine, or leave the key out.",
  });
}
