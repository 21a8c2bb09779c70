/** Queries, scores and passages as files, to see why something was found. They hold texts: for development. */
import type { RagConfig } from "../config/config.generated.ts";
import { messageOf } from "../errors.ts";
import type { Platform } from "../platform.ts";

/** @returns what a call hands its data to; it does nothing where dumps are switched off */
export function createDumps(
  { debug }: RagConfig,
  { sideFiles, log, name }: Pick<Platform, "sideFiles" | "log" | "name">,
  wallTime: () => number,
): (operation: string, data: unknown) => Promise<void> {
  if (sideFiles === undefined) {
    log({ level: "warn", message: `rag: ${name} writes no dumps; rag.debug.save_debug_dumps has no effect here` });
    return async () => undefined;
  }
  let count = 0;
  let isTold = false;
  return async (operation, data) => {
    const time = new Date(wallTime()).toISOString();
    count += 1;
    if (count === 1)
      log({ level: "info", message: `rag: questions, scores and passages go into ${debug.debug_dump_path} (rag.debug.save_debug_dumps)` });
    const file = `${time.replaceAll(/[:.]/g, "-")}-${String(count).padStart(4, "0")}-${operation}.json`;
    try {
      await sideFiles.write(debug.debug_dump_path, file, `${JSON.stringify({ time, operation, data }, undefined, 2)}\n`);
    } catch (error) {
      // a call needs no dump
      if (!isTold) log({ level: "warn", message: `rag: no dump was written (rag.debug.debug_dump_path): ${messageOf(error)}` });
      isTold = true;
    }
  };
}
