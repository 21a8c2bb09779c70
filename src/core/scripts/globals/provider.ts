/** `Provider`: who runs models, as the configuration declares it. Only isAvailable() asks a server. */

import type { ProviderConfig } from "../../config/config.generated.ts";
import { definedOnly } from "../../values.ts";
import { text } from "../arguments.ts";
import { now, type ScriptFunctions, waits } from "../bind.ts";
import type { ScriptRun } from "./host.ts";

/** The longest that isAvailable() takes. */
const availableWithinMs = 2000;

export function providerGlobal(run: ScriptRun): ScriptFunctions {
  const name = text("name");
  const find = (asked: string): ProviderConfig | undefined => declared(run).find(([each]) => each === asked)?.[1];
  return {
    list: now([], () => declared(run).map(([each, provider]) => shown(each, provider))),
    get: now([name], (asked) => {
      const found = find(asked);
      return found === undefined ? undefined : shown(asked, found);
    }),
    get_capabilities: now([name], (asked) => {
      const found = find(asked);
      return found === undefined ? undefined : capabilitiesOf(found);
    }),
    is_available: waits([name], async (asked) => {
      const found = find(asked);
      if (found === undefined || !found.enabled) return false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), availableWithinMs);
      });
      const answer = run.spell.models.status(asked).catch(() => undefined);
      const [status] = Object.values((await Promise.race([answer, late])) ?? {});
      clearTimeout(timer);
      return status?.ready === true || status?.running === true;
    }),
  };
}

/** Those that are switched off too. */
export function declared({
  config: { config },
}: Pick<ScriptRun, "config">): readonly (readonly [name: string, provider: ProviderConfig])[] {
  return Object.entries(config.providers).flatMap(([name, provider]) => (typeof provider === "object" ? [[name, provider] as const] : []));
}

function shown(name: string, provider: ProviderConfig) {
  const { provider_type, enabled, default_model } = provider;
  return definedOnly({ name, provider_type, enabled, default_model, capabilities: capabilitiesOf(provider) });
}

/** What it can do where its model can. */
function capabilitiesOf(provider: ProviderConfig) {
  const size = "context_size" in provider ? provider.context_size : 0;
  return definedOnly({
    supports_streaming: true,
    supports_multimodal: false,
    supports_tools: true,
    max_context_tokens: size > 0 ? size : undefined,
    available_models: provider.default_model === undefined ? undefined : [provider.default_model],
  });
}
