/** Who did what and when, as JSON lines without texts: a file of its owner, in a page the last 10,000 records. */
import type { RagConfig } from "../config/config.generated.ts";
import { messageOf, SpellError } from "../errors.ts";
import type { Platform } from "../platform.ts";

const table = "rag-audit";
/** of a host without files */
const mostRecords = 10_000;

/** A call as its line tells it. */
export interface AuditRecord {
  readonly time: string;
  readonly tenant: string;
  readonly operation: string;
  readonly count: number;
  readonly ms: number;
  readonly ok: boolean;
  readonly code: string | undefined;
}

export interface Audit {
  /** Before a call: where no line can be added, nothing is done. @throws SpellError store-* */
  check(): Promise<void>;
  /** After a call, whose result is not held back where this fails. */
  add(record: AuditRecord): Promise<void>;
}

/** Where lines are kept. */
interface Lines {
  open(): Promise<unknown>;
  add(line: string): Promise<void>;
}

type AuditHost = Pick<Platform, "sideFiles" | "records" | "log" | "name">;

/** @returns undefined where the host keeps nothing, which is said once */
export function createAudit({ security }: RagConfig, host: AuditHost): Audit | undefined {
  const lines = linesOf(security.audit_log_path, host);
  if (lines === undefined) return undefined;
  /** A save names no tenant: it is that of the last call. */
  let caller: string | undefined;
  return {
    async check() {
      await lines.open().catch(refuse);
    },
    async add(record) {
      const { tenant: own, operation } = record;
      if (operation !== "save") caller = own;
      const tenant = caller ?? own;
      await lines.add(JSON.stringify({ ...record, tenant })).catch((error: unknown) => {
        host.log({ level: "error", message: `rag: the audit lacks a call of ${operation}: ${messageOf(error)}` });
      });
    },
  };
}

function linesOf(file: string, { sideFiles, records, log, name }: AuditHost): Lines | undefined {
  if (sideFiles !== undefined) return { open: () => sideFiles.touch(file), add: (line) => sideFiles.addLine(file, line) };
  if (records === undefined) {
    log({ level: "warn", message: `rag: ${name} keeps no audit; rag.security.enable_audit_logging has no effect here` });
    return undefined;
  }
  let store: ReturnType<typeof records> | undefined;
  let count = 0;
  const open = (): ReturnType<typeof records> => {
    store ??= records(file);
    return store;
  };
  const add = async (line: string): Promise<void> => {
    const opened = await open();
    // keys in the order of time: the oldest go first
    const key = `${Date.now().toString(36).padStart(10, "0")}-${String(count++).padStart(6, "0")}`;
    await opened.put(table, key, line, Number.POSITIVE_INFINITY);
    if (count % 100 !== 1) return;
    const keys = [...(await opened.list(table))].sort();
    for (const old of keys.slice(0, Math.max(0, keys.length - mostRecords))) await opened.remove(table, old);
  };
  return { open, add };
}

function refuse(error: unknown): never {
  throw error instanceof SpellError
    ? error.with({ hint: "Set rag.security.audit_log_path to a file that can be written, or rag.security.enable_audit_logging to false." })
    : error;
}
