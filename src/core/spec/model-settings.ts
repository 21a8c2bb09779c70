/** Settings of model management, as one record. Whoever reads configuration and variables fills it; core only reads it. */

export interface ModelSettings {
  /** Backends that may run local models, in order. */
  readonly backends: readonly LocalBackend[];
  /** No downloads; pulls give net-offline. */
  readonly offline: boolean;
  /** Address of the hub, without a slash at its end. */
  readonly hfEndpoint: string;
  /** Sent to the hub only; looked at with each request. */
  readonly hfToken?: (() => string | undefined) | undefined;
  /** Address of the Ollama registry. */
  readonly ollamaRegistry: string;
  /** Name of the provider that runs models in this process; commands that fetch for it end in it. */
  readonly candleProvider: string;
  /** Name of the provider the Ollama server has; ids of its models end in it. */
  readonly ollamaProvider: string;
  /** Address of the Ollama server. */
  readonly ollamaBaseUrl: string;
  /** Open files of other tools in place. */
  readonly reuseHfCache: boolean;
  readonly reuseOllamaStore: boolean;
  /** Connections per host, 1–16. */
  readonly maxParallel: number;
  /** Text of an additional models.toml; its names win over built-in ones. */
  readonly catalogue?: string | undefined;
  /** Variant of GGUF models where a spec has none. */
  readonly defaultQuantization: string;
  /** Longest wait of a call to Ollama without any progress. */
  readonly ollamaTimeoutMs: number;
  /** Seconds an idle model of Ollama stays loaded; -1 = for ever. Absent = the server's choice. */
  readonly ollamaKeepAliveSeconds?: number | undefined;
  /** Tokens Ollama keeps; 0 = the server's choice. */
  readonly ollamaContextSize: number;
}

export type LocalBackend = "candle" | "ollama";

export const defaultModelSettings: ModelSettings = {
  backends: ["candle", "ollama"],
  offline: false,
  hfEndpoint: "https://huggingface.co",
  ollamaRegistry: "https://registry.ollama.ai",
  candleProvider: "candle",
  ollamaProvider: "ollama",
  ollamaBaseUrl: "http://localhost:11434",
  reuseHfCache: true,
  reuseOllamaStore: true,
  maxParallel: 4,
  defaultQuantization: "Q4_K_M",
  ollamaTimeoutMs: 300_000,
  ollamaContextSize: 0,
};
