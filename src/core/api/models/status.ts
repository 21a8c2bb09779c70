/** Health of the backends. */
import type { DevicePreview } from "../../spec/runtime.ts";
import { version } from "../../version.ts";
import type { ModelContext } from "./context.ts";
import { listCandle, wantedBackends } from "./list.ts";
import type { CandleStatus, OllamaStatus } from "./records.ts";

/** @param backend one of them alone; default: both */
export async function status(context: ModelContext, backend?: string): Promise<unknown> {
  if (backend === undefined || backend === "all") {
    const [candle, server] = await Promise.all([candleStatus(context), ollamaStatus(context)]);
    return { candle, ollama: server };
  }
  return wantedBackends(context, backend)[0] === "candle" ? candleStatus(context) : ollamaStatus(context);
}

async function candleStatus(context: ModelContext): Promise<CandleStatus> {
  const configured = context.settings.backends.includes("candle");
  const base = { configured, version, store: context.platform.store.place };
  if (!configured) return { ...base, ready: false, models: 0, device: null, error: "Not configured" };
  const device = await lookAtDevices(context);
  try {
    return { ...base, ready: true, models: (await listCandle(context)).length, device };
  } catch (error) {
    return { ...base, ready: false, models: 0, device, error: error instanceof Error ? error.message : String(error) };
  }
}

/** By what can be seen and what earlier self-tests said; nothing is loaded. */
async function lookAtDevices({ platform, usual }: ModelContext): Promise<DevicePreview | null> {
  if (!platform.gguf.available) return null;
  return (await platform.gguf.value.preview?.([], { device: usual.device })) ?? null;
}

async function ollamaStatus(context: ModelContext): Promise<OllamaStatus> {
  const configured = context.settings.backends.includes("ollama");
  const base = { configured, url: context.ollama.url };
  if (!configured) return { ...base, running: false, models: 0, error: "Not configured" };
  try {
    const [version, models] = [await context.ollama.version(), await context.ollama.list()];
    return { ...base, running: true, models: models.length, version };
  } catch (error) {
    return { ...base, running: false, models: 0, error: error instanceof Error ? error.message : String(error) };
  }
}
