/** A server that speaks as OpenAI's chat completions do: OpenAI itself, vLLM, llama.cpp, LM Studio, Ollama, and many services. */
import { providerOf } from "../../config/providers.ts";
import type { Backend, BackendHost } from "../backend.ts";
import { createService } from "../server/service.ts";
import { openaiWire } from "./wire.ts";

export function createOpenai(host: BackendHost, provider: string): Backend {
  const isOpenai = providerOf(host.config.config, provider)?.provider_type === "openai";
  return createService(host, provider, openaiWire(isOpenai));
}
