/** The paths that are answered. */
import type { Handler } from "./call.ts";
import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import { embeddings } from "./embeddings.ts";
import { health, listModels, metrics, showModel } from "./listing.ts";
import { messages } from "./messages.ts";
import { rerank } from "./rerank.ts";
import { responses } from "./responses.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** one that ends in a slash is followed by a name */
  readonly path: string;
  readonly handler: Handler;
}

export const routes: readonly Route[] = [
  { method: "GET", path: "/health", handler: health },
  { method: "GET", path: "/metrics", handler: metrics },
  { method: "GET", path: "/v1/models", handler: listModels },
  { method: "GET", path: "/v1/models/", handler: showModel },
  { method: "POST", path: "/v1/chat/completions", handler: chat },
  { method: "POST", path: "/v1/completions", handler: completions },
  { method: "POST", path: "/v1/embeddings", handler: embeddings },
  { method: "POST", path: "/v1/rerank", handler: rerank },
  { method: "POST", path: "/v1/responses", handler: responses },
  { method: "POST", path: "/v1/messages", handler: messages },
];

/** Ollama's own API; read when it is first asked. */
const ollama =
  (name: "chat" | "generate" | "embed" | "embedOne"): Handler =>
  async (call) =>
    (await import("./ollama.ts"))[name](call);
const ollamaModels =
  (name: "tags" | "running" | "show" | "apiVersionOf" | "greeting"): Handler =>
  async (call) =>
    (await import("./ollama-models.ts"))[name](call);

export const ollamaRoutes: readonly Route[] = [
  { method: "POST", path: "/api/chat", handler: ollama("chat") },
  { method: "POST", path: "/api/generate", handler: ollama("generate") },
  { method: "POST", path: "/api/embed", handler: ollama("embed") },
  { method: "POST", path: "/api/embeddings", handler: ollama("embedOne") },
  { method: "POST", path: "/api/show", handler: ollamaModels("show") },
  { method: "GET", path: "/api/tags", handler: ollamaModels("tags") },
  { method: "GET", path: "/api/ps", handler: ollamaModels("running") },
  { method: "GET", path: "/api/version", handler: ollamaModels("apiVersionOf") },
  { method: "GET", path: "/", handler: ollamaModels("greeting") },
];
