/** What an owner of the HTTP API says once. Types only. */
import type { ModelSource, SpellLoadOptions } from "../api/spell.ts";
import type { RequestRecord } from "./record.ts";

export interface ServeOptions {
  /**
   * Models by the names that requests have for them, or a list of model specs, which are their own names; they come first in the list of models. Only a
   * model named here may be a path, an address or a file. Default: none.
   */
  readonly models?: readonly string[] | Readonly<Record<string, ModelSource>> | undefined;
  /** No model but these. Default false: any other name that the library knows is answered too. */
  readonly only?: boolean | undefined;
  /** A model that is missing is fetched by the request that names it. Default false: it does not exist. */
  readonly pull?: boolean | undefined;
  /** A field that is not known is refused. Default false: it is named in `warnings` of the answer. */
  readonly strict?: boolean | undefined;
  /** How models are loaded. */
  readonly load?: Pick<SpellLoadOptions, "device" | "contextSize" | "threads" | "batchSize"> | undefined;
  /** Ollama's own API too, under /api. Default false. */
  readonly ollamaApi?: boolean | undefined;
  /** Each request once it is over: its stream has ended, or its reader has left. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
}
