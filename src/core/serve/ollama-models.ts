/** What Ollama's own API tells of models: `/api/tags`, `/api/show`, `/api/ps`, `/api/version`. Source: docs/api.md of Ollama 0.6.5. */
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { nameOf } from "./ollama-options.ts";
import { json, safeHeaders } from "./refusals.ts";
import type { ModelCard } from "./served.ts";

/** The version whose API this is; programs refuse to talk to older ones. */
const apiVersion = "0.6.5";

export async function tags({ served, signal }: Call): Promise<Response> {
  return json({ models: (await served.cards(signal)).map(entryOf) });
}

export async function running({ served, signal }: Call): Promise<Response> {
  const onCard = ({ device, size_bytes }: ModelCard): number =>
    device === null || device === "cpu" || device === "wasm" ? 0 : (size_bytes ?? 0);
  const models = (await served.running(signal)).map(({ card, expiresAt = Date.now() / 1000 + forEver, gpuBytes = onCard(card) }) => ({
    ...entryOf(card),
    expires_at: new Date(expiresAt * 1000).toISOString(),
    size_vram: gpuBytes,
  }));
  return json({ models });
}

/** Seconds that Ollama adds for a model that stays: the longest time of Go, in nanoseconds of 63 bits. */
const forEver = 2 ** 63 / 1e9;

export async function show({ request, served, signal }: Call): Promise<Response> {
  const fields = await readBody(request);
  const card = await served.card(nameOf(fields), signal);
  const { architecture, capabilities, context_length, parameter_count } = card;
  const family = architecture ?? "unknown";
  return json({
    modelfile: "",
    parameters: "",
    template: "",
    modified_at: entryOf(card).modified_at,
    digest: entryOf(card).digest,
    details: detailsOf(card),
    model_info: {
      "general.architecture": family,
      "general.parameter_count": parameter_count,
      [`${family}.context_length`]: context_length,
    },
    capabilities: capabilities.flatMap((each) => words[each] ?? []),
  });
}

export async function apiVersionOf(): Promise<Response> {
  return json({ version: apiVersion });
}

/** Programs ask it to see whether somebody is there. */
export async function greeting(): Promise<Response> {
  return new Response("Ollama is running", { headers: { "content-type": "text/plain; charset=utf-8", ...safeHeaders } });
}

/** Ours by theirs: what chats is told of tools, in its template's form or in the system message. */
const words: Readonly<Partial<Record<string, readonly string[]>>> = {
  completion: ["completion"],
  "text-to-text": ["completion"],
  chat: ["tools"],
  embedding: ["embedding"],
};

function entryOf(card: ModelCard) {
  return {
    name: card.id,
    model: card.id,
    modified_at: new Date(card.created * 1000).toISOString(),
    size: card.size_bytes ?? 0,
    digest: card.sha256 ?? "",
    details: detailsOf(card),
  };
}

function detailsOf({ architecture, format, parameter_count, quantization }: ModelCard): object {
  const family = architecture ?? "unknown";
  return {
    parent_model: "",
    format: format ?? "",
    family,
    families: [family],
    parameter_size: parameter_count === null ? "" : sizeOf(parameter_count),
    quantization_level: quantization ?? "",
  };
}

function sizeOf(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)}B` : `${(count / 1e6).toFixed(2)}M`;
}
