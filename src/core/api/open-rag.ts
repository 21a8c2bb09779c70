/** Retrieval as a spell has it: its configuration, its models. */
import type { RagConfig } from "../config/config.generated.ts";
import { providerNames, providerOf } from "../config/providers.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { createRag, type RagHost } from "../rag/rag.ts";
import type { Rag } from "../rag/types.ts";
import { postgresUrl } from "../store/postgres-url.ts";

/** What is used of a spell. */
export interface RagSpell extends Pick<RagHost, "platform" | "embeddings" | "rerank" | "over"> {
  config(): Promise<ResolvedConfig>;
}

/** @param settings in place of those of the configuration */
export async function openRag({ platform, embeddings, rerank, config: read, over }: RagSpell, settings?: RagConfig): Promise<Rag> {
  const { config } = await read();
  return createRag({
    platform,
    settings: settings ?? config.rag,
    providers: providerNames(config),
    takes: (name) => takenBy(config, name),
    embeddings,
    rerank,
    over,
    postgresUrl: () => postgresUrl(config.storage, platform.config?.env),
  });
}

/** What a load of a provider's models takes. */
export function takenBy(config: ResolvedConfig["config"], name: string): ReturnType<NonNullable<RagHost["takes"]>> {
  const provider = providerOf(config, name);
  return { device: provider === undefined || "device" in provider, contextSize: provider === undefined || "context_size" in provider };
}
