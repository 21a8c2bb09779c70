/** Every type of provider: the words that name it, what it takes, and who makes its backend. */
import type { ProviderConfig } from "../config/config.generated.ts";
import type { ModelSpec } from "../spec/model-spec.ts";
import type { Backend, BackendHost } from "./backend.ts";

export interface BackendType {
  readonly type: ProviderConfig["provider_type"];
  /** Words that name it, whether a provider of this type is declared or not. */
  readonly words: readonly string[];
  /** The built-in profile that declares one. */
  readonly profile: string;
  /** Sources that lead to it where no provider is named; of several types the one that names it first, else the first that is declared. Plain names are asked for with claims(). */
  readonly takes: readonly (ModelSpec["kind"] | "file")[];
  /** A service elsewhere: asked only where its name, or the default provider, leads to it; it names its models as it likes. */
  readonly isRemote: boolean;
  readonly create: (host: BackendHost, provider: string) => Promise<Backend>;
}

const openai: BackendType["create"] = async (host, provider) => (await import("./openai/backend.ts")).createOpenai(host, provider);

export const backendTypes: readonly BackendType[] = [
  {
    // The embedded engine, under the name it has in the Rust llmspell: in this process, whatever it is made of.
    type: "candle",
    words: ["candle", "local"],
    profile: "candle",
    takes: ["hf", "url", "path", "file", "name", "registry"],
    isRemote: false,
    create: async (host, provider) => (await import("./candle/backend.ts")).createCandle(host, provider),
  },
  {
    type: "ollama",
    words: ["ollama"],
    profile: "ollama",
    takes: ["registry", "name"],
    isRemote: false,
    create: async (host, provider) => (await import("./ollama/backend.ts")).createOllama(host, provider),
  },
  { type: "openai", words: ["openai"], profile: "providers", takes: [], isRemote: true, create: openai },
  {
    type: "anthropic",
    words: ["anthropic"],
    profile: "providers",
    takes: [],
    isRemote: true,
    create: async (host, provider) => (await import("./anthropic/backend.ts")).createAnthropic(host, provider),
  },
  { type: "openai-compatible", words: [], profile: "providers", takes: [], isRemote: true, create: openai },
];
