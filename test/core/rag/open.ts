/** Retrieval over folders in memory. */
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { LogEntry, SearchFolder } from "../../../src/core/platform.ts";
import { createRag, type RagHost } from "../../../src/core/rag/rag.ts";
import type { Rag } from "../../../src/core/rag/types.ts";
import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";

export type Settings = NonNullable<ConfigInput["rag"]>;

/** Folders that outlive the programs over them. */
export function disk() {
  const folders = new Map<string, SearchFolder>();
  const touched: string[] = [];
  const searchFolder = async (place: string): Promise<SearchFolder> => {
    const folder = folders.get(place) ?? { ...memoryFolder(), place };
    folders.set(place, folder);
    touched.push(place);
    return folder;
  };
  return { folders, touched, searchFolder };
}

export async function open(settings: Settings = {}, host: Partial<RagHost> = {}, store = disk()) {
  const log: LogEntry[] = [];
  const platform = { ...memoryPlatform({ log: (entry) => log.push(entry) }), searchFolder: store.searchFolder };
  const { config } = await resolveConfig({ config: { rag: settings }, env: {} }, platform);
  const rag: Rag = createRag({
    platform,
    settings: config.rag,
    embeddings: () => Promise.reject(new Error("no model was expected")),
    ...host,
  });
  return { rag, log, store };
}
