/** SQLite as this Node has it: its own module, else the package libsql. Both take the same files and the same locks. */
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
  const Database = requirePackage("libsql") as new (path: string) => Sqlite;
  return (path) => new Database(path);
}

/** SQLite's own number of an error, without its extension. Source: https://sqlite.org/rescode.html @returns undefined for other errors */
export function sqliteCode(error: unknown): number | undefined {
  const { errcode, rawCode } = error as { readonly errcode?: unknown; readonly rawCode?: unknown };
  const code = errcode ?? rawCode;
  return typeof code === "number" ? code & 0xff : undefined;
}
