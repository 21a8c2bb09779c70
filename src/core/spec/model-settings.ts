/** Settings of finding and fetching models, as one record. The reader of configuration and variables fills it; the rest of core only reads it. */
export interface ModelSettings {
  /** No downloads; pulls give net-offline. */
  readonly offline: boolean;
  /** Address of the hub, without a slash at its end. */
  readonly hfEndpoint: string;
  /** Sent to the hub only; looked at with each request. */
  readonly hfToken?: (() => string | undefined) | undefined;
  /** Hosts that may be private or local, beside those of a call: `host`, `host:port`, `*.domain`. */
  readonly allowHosts: readonly string[];
  /** Address of the Ollama registry. */
  readonly ollamaRegistry: string;
  /** Open files of other tools in place. */
  readonly reuseHfCache: boolean;
  readonly reuseOllamaStore: boolean;
  /** Connections per host, 1–16. */
  readonly maxParallel: number;
  /** Variant of GGUF models where a spec has none. */
  readonly defaultQuantization: string;
}

export const defaultModelSettings: ModelSettings = {
  offline: false,
  hfEndpoint: "https://huggingface.co",
  allowHosts: [],
  ollamaRegistry: "https://registry.ollama.ai",
  reuseHfCache: true,
  reuseOllamaStore: true,
  maxParallel: 4,
  defaultQuantization: "Q4_K_M",
};
