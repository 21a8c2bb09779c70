/** The embedded engine as a backend: models of the store, of the package, of other tools on this machine, and of files, run in this process. */
import { messageOf } from "../../errors.ts";
import { modelSettings } from "../../hub/settings.ts";
import { version } from "../../version.ts";
import type { Backend, BackendHost } from "../backend.ts";
import type { BackendStatus } from "../models.ts";
import { bundledModels } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { findModel } from "./load.ts";
import { candleSettings } from "./settings.ts";

export function createCandle(host: BackendHost, provider: string): Backend {
  const { platform, config, network, catalogue, wallTime } = host;
  const settings = candleSettings(config.config, provider);
  if (settings === undefined) throw new Error(`provider ${provider} is not declared`);
  const context: CandleContext = {
    provider,
    platform: { ...platform, store: platform.storeAt?.(settings.modelFolder) ?? platform.store },
    settings: modelSettings(config.config, platform.config, settings.defaultQuantization, host.ollamaRegistry),
    network,
    defaults: settings.load,
    catalogue,
    isLoaded: (id) => host.isLoaded(provider, id),
    wallTime,
  };
  return {
    name: provider,
    type: "candle",
    calls: settings.calls,
    async claims({ name }, how) {
      if (how !== "sure" && how !== "known") return false;
      if (bundledModels.has(name.toLowerCase())) return true;
      return how === "known" && (await import("./find.ts")).isKnownName(context, name);
    },
    find: (source, options) => findModel(context, source, options),
    status: () => statusOf(context),
    // Programs that only load a model do not read the code below.
    list: async () => (await import("./list.ts")).list(context),
    available: async (filter) => (await import("./available.ts")).available(context, filter),
    info: async (source, options) => (await import("./info.ts")).info(context, source, options),
    offer: async (spec, options, looksAhead) => (await import("./offer.ts")).offer(context, spec, options, looksAhead),
    pull: async (spec, options) => (await import("./pull.ts")).pull(context, spec, options),
    remove: async (spec) => (await import("./keep.ts")).remove(context, spec),
    verify: async (spec, options) => (await import("./keep.ts")).verify(context, spec, options),
    prune: async (options) => (await import("./keep.ts")).prune(context, options),
  };
}

/** By what can be seen and what earlier self-tests said; nothing is loaded. */
async function statusOf(context: CandleContext): Promise<BackendStatus> {
  const { gguf, store } = context.platform;
  const device = gguf.available ? ((await gguf.value.preview?.([], { device: context.defaults.device })) ?? null) : null;
  const base = { configured: true, version, store: store.place, device };
  try {
    return { ...base, ready: true, models: (await (await import("./list.ts")).list(context)).length };
  } catch (error) {
    return { ...base, ready: false, models: 0, error: messageOf(error) };
  }
}
