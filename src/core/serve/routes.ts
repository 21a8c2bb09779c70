/** The paths that are answered. */
import type { Handler } from "./call.ts";
import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import { embeddings } from "./embeddings.ts";
import { health, listModels, metrics, showModel } from "./listing.ts";
import { messages } from "./messages.ts";
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
  { method: "POST", path: "/v1/responses", handler: responses },
  { method: "POST", path: "/v1/messages", handler: messages },
];
