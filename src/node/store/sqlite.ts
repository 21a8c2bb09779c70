/** SQLite as this Node has it: its own module, else the package libsql. Both take the same files and the same locks. */
import { readFileSync } from "node:fs";
import { SpellError } from "../../core/errors.ts";
import { installCommand, isInstalled, requirePackage } from "../engines/packages.ts";

/** What both have in common. */
export interface Sqlite {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: readonly unknown[]): unknown;
    all(...values: readonly unknown[]): readonly unknown[];
    run(...values: readonly unknown[]): { readonly changes: number | bigint };
  };
  close(): void;
}

export type OpenSqlite = (path: string) => Sqlite;

/** @throws SpellError store-denied where there is neither, with the line that installs the package */
export async function findSqlite(): Promise<OpenSqlite> {
  const own = builtinSqlite();
  if (own !== undefined) return own;
  if (!isInstalled("libsql")) {
    throw new SpellError("store-denied", `Node ${process.versions.node} has no SQLite, and the package libsql is not installed`, {
      where: "libsql",
      hint: "Install the package, or use Node 22.13 or later.",
      actions: [{ kind: "shell", line: installCommand("libsql") }],
    });
  }
  return packageSqlite();
}

/** From Node 22.13 on; Deno has it too. @returns undefined where there is none */
export function builtinSqlite(): OpenSqlite | undefined {
  const { emitWarning } = process;
  // It is new in Node 22, which says so on standard error, where the user of a script can do nothing about it.
  process.emitWarning = () => undefined;
  try {
    const found = process.getBuiltinModule?.("node:sqlite") as { readonly DatabaseSync: new (path: string) => Sqlite } | undefined;
    return found === undefined ? undefined : (path) => new found.DatabaseSync(path);
  } catch {
    return undefined; // behind a flag
  } finally {
    process.emitWarning = emitWarning;
  }
}

export function packageSqlite(): OpenSqlite {
  const Database = withLibc(() => requirePackage("libsql")) as new (path: string) => Sqlite;
  return (path) => new Database(path);
}

/**
 * libsql asks Node for a report of the whole process, which takes 10 ms, only to learn whether its C library is glibc. Linux says so in less: by what is mapped.
 * Where that cannot be read, the report is made.
 */
function withLibc<T>(load: () => T): T {
  const { report } = process as { readonly report?: { getReport: () => object } }; // Bun may have none
  const isGlibc = hasGlibc();
  if (report === undefined || isGlibc === undefined) return load();
  const { getReport } = report;
  report.getReport = () => ({ header: isGlibc ? { glibcVersionRuntime: "2" } : {}, sharedObjects: [] });
  try {
    return load();
  } finally {
    report.getReport = getReport;
  }
}

function hasGlibc(): boolean | undefined {
  try {
    const mapped = readFileSync("/proc/self/maps", "utf8");
    if (/\/libc\.so\.6$/m.test(mapped)) return true;
    return /\/ld-musl-[^/]*$/m.test(mapped) ? false : undefined;
  } catch {
    return undefined;
  }
}

/** SQLite's own number of an error, without its extension. Source: https://sqlite.org/rescode.html @returns undefined for other errors */
export function sqliteCode(error: unknown): number | undefined {
  const { errcode, rawCode } = error as { readonly errcode?: unknown; readonly rawCode?: unknown };
  const code = errcode ?? rawCode;
  return typeof code === "number" ? code & 0xff : undefined;
}
