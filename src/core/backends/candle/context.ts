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

export function hubContext({ network, settings, platform }: CandleContext, { allowHosts, signal, offline }: PullOptions): HubContext {
  return {
    network,
    settings: offline === true ? { ...settings, offline: true } : settings,
    foreign: platform.foreign,
    allowHosts: [...settings.allowHosts, ...(allowHosts ?? [])],
    signal,
  };
}
