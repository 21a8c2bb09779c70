/** The paths that are answered. */
import type { Spell } from "../api/spell.ts";
import { health, listModels, metrics, showModel } from "./listing.ts";
import type { OpenRecord } from "./record.ts";
import type { Served } from "./served.ts";

/** One request. */
export interface Call {
  readonly request: Request;
  readonly pathname: string;
  readonly signal: AbortSignal;
  readonly spell: Spell;
  readonly served: Served;
  readonly isStrict: boolean;
  readonly record: OpenRecord;
  readonly metrics: () => string;
}

export type Handler = (call: Call) => Promise<Response>;

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
];
