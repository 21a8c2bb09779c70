/** What the parts of the embedded engine's backend share. */
import type { Network } from "../../download/request.ts";
import type { CatalogueEntry } from "../../hub/catalogue.ts";
import type { HubContext } from "../../hub/hub.ts";
import type { ModelSettings } from "../../hub/settings.ts";
import type { Platform } from "../../platform.ts";
import type { PullOptions } from "../models.ts";
import type { LoadDefaults } from "./settings.ts";

export interface CandleContext {
  /** of the provider; commands that fetch for it end in it */
  readonly provider: string;
  /** with the store of this provider */
  readonly platform: Platform;
  readonly settings: ModelSettings;
  readonly network: Network;
  readonly defaults: LoadDefaults;
  readonly catalogue: () => Promise<readonly CatalogueEntry[]>;
  readonly isLoaded: (id: string) => boolean;
  /** milliseconds since the epoch */
  readonly wallTime: () => number;
}

/** @returns seconds since the epoch */
export function seconds({ wallTime }: CandleContext): number {
  return Math.floor(wallTime() / 1000);
}

/** Hosts that may be private or local, whatever a call says. */
export function allowedHosts({ settings, platform }: Pick<CandleContext, "settings" | "platform">): readonly string[] {
  return settings.allowHosts.concat(platform.ownOrigin ?? []);
}

export function hubContext(context: CandleContext, { allowHosts, signal, offline }: PullOptions): HubContext {
  const { network, settings, platform } = context;
  return {
    network,
    settings: offline === true ? { ...settings, offline: true } : settings,
    foreign: platform.foreign,
    allowHosts: allowedHosts(context).concat(allowHosts ?? []),
    signal,
  };
}
