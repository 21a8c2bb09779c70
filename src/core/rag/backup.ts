/** Copies of the whole index folder, dated; the old ones go. */
import type { RagConfig } from "../config/config.generated.ts";
import type { Platform } from "../platform.ts";

const hour = 3_600_000;
const own = /^rag-(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})Z$/;

/** @returns what opening and saving an index calls; it does nothing where backups are switched off, or there is nothing to copy */
export function createBackup(
  { backup, vector_storage }: RagConfig,
  { sideFiles, log, name }: Pick<Platform, "sideFiles" | "log" | "name">,
  wallTime: () => number,
): () => Promise<void> {
  const from = vector_storage.persistence_path;
  if (from === "" || vector_storage.backend === "postgres") return async () => undefined;
  if (sideFiles === undefined) {
    log({ level: "warn", message: `rag: ${name} makes no backups; rag.backup.enable_auto_backup has no effect here` });
    return async () => undefined;
  }
  const { backup_path: folder, backup_interval_hours, backup_retention_days } = backup;
  let nextLook = Number.NEGATIVE_INFINITY;
  return async () => {
    const time = wallTime();
    if (time < nextLook) return;
    const copies = (await sideFiles.list(folder)).flatMap((each) => {
      const at = timeOf(each);
      return at === undefined ? [] : [{ name: each, at }];
    });
    const newest = Math.max(Number.NEGATIVE_INFINITY, ...copies.map(({ at }) => at));
    if (time - newest < backup_interval_hours * hour) {
      nextLook = newest + backup_interval_hours * hour;
      return;
    }
    if ((await sideFiles.list(from)).length === 0) return;
    await sideFiles.copyFolder(from, folder, nameOf(time));
    nextLook = time + backup_interval_hours * hour;
    // never one that it did not name itself
    for (const old of copies) if (time - old.at > backup_retention_days * 24 * hour) await sideFiles.removeFolder(folder, old.name);
  };
}

function nameOf(time: number): string {
  return `rag-${new Date(time).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
}

function timeOf(name: string): number | undefined {
  const [, day, hours, minutes, seconds] = own.exec(name) ?? [];
  return day === undefined ? undefined : Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`);
}
