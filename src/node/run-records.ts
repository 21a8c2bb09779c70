/** Which process has loaded which model: a small file for each such process, removed when it ends. `ps` reads them. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { homeFolder, readHomeJson, writeHomeJson } from "./home.ts";
import { isAlive } from "./processes.ts";

export interface RunRecord {
  readonly pid: number;
  readonly model_id: string;
  readonly size_bytes: number;
  readonly device: string;
  readonly context_size: number;
}

/** Never fails. */
export function writeRunRecord(record: Omit<RunRecord, "pid">): void {
  const name = join("run", `${process.pid}.json`);
  try {
    writeHomeJson(name, { pid: process.pid, ...record });
    process.once("exit", () => rmSync(join(homeFolder(), name), { force: true }));
  } catch {
    // without a writable home `ps` does not show this process
  }
}

/** @returns records of live processes; the others are removed */
export function readRunRecords(): readonly RunRecord[] {
  let names: readonly string[];
  try {
    names = readdirSync(join(homeFolder(), "run"));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const { pid, model_id, size_bytes, device, context_size } = (readHomeJson(join("run", name)) ?? {}) as Partial<RunRecord>;
    if (typeof pid !== "number" || typeof model_id !== "string" || typeof device !== "string") return [];
    if (!isAlive(pid)) {
      rmSync(join(homeFolder(), "run", name), { force: true });
      return [];
    }
    return [{ pid, model_id, device, size_bytes: Number(size_bytes ?? 0), context_size: Number(context_size ?? 0) }];
  });
}
