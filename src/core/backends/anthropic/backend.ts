/** Anthropic's Messages API, or a server that speaks like it. */
import type { Backend, BackendHost } from "../backend.ts";
import { createService } from "../server/service.ts";
import { anthropicWire } from "./wire.ts";

export function createAnthropic(host: BackendHost, provider: string): Backend {
  return createService(host, provider, anthropicWire(host.platform.isPage === true));
}
