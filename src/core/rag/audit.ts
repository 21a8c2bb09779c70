/** Who did what and when, as JSON lines without texts: a file of its owner, in a page the last 10,000 records. */
import type { RagConfig } from "../config/config.generated.ts";
import type { Platform } from "../platform.ts";

const table = "rag-audit";
/** of a host without files */
const mostRecords = 10_000;

/** @returns undefined where the host keeps nothing, which is said once */
export function createAudit(
  { security }: RagConfig,
  { sideFiles, records, log, name }: Pick<Platform, "sideFiles" | "records" | "log" | "name">,
): ((line: string) => Promise<void>) | undefined {
  if (sideFiles !== undefined) return (line) => sideFiles.addLine(security.audit_log_path, line);
  if (records === undefined) {
    log({ level: "warn", message: `rag: ${name} keeps no audit; rag.security.enable_audit_logging has no effect here` });
    return undefined;
  }
  let store: ReturnType<typeof records> | undefined;
  let count = 0;
  return async (line) => {
    store ??= records(security.audit_log_path);
    const opened = await store;
    // keys in the order of time: the oldest go first
    const key = `${Date.now().toString(36).padStart(10, "0")}-${String(count++).padStart(6, "0")}`;
    await opened.put(table, key, line, Number.POSITIVE_INFINITY);
    if (count % 100 !== 1) return;
    const keys = [...(await opened.list(table))].sort();
    for (const old of keys.slice(0, Math.max(0, keys.length - mostRecords))) await opened.remove(table, old);
  };
}
