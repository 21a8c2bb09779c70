/** The records that a section of the configuration asks for. */

import type { StorageConfig } from "../config/config.generated.ts";
import { switchOn } from "../config/switch-on.ts";
import { type ErrorCode, SpellError } from "../errors.ts";
import type { Platform, RecordStore } from "../platform.ts";
import type { Action } from "../spec/action.ts";
import { memoryRecords } from "./memory-records.ts";
import { postgresUrl } from "./postgres-url.ts";

export type RecordsHost = Pick<Platform, "name" | "records" | "sharedRecords" | "config">;

export interface RecordsWanted {
  /** "State", "Session" */
  readonly what: string;
  readonly disabled: ErrorCode;
  readonly enabled: { readonly value: boolean; readonly key: string; readonly profile: string };
  readonly backend: { readonly value: "memory" | "file" | "postgres"; readonly key: string };
  /** of `file` */
  readonly directory: string;
  /** of `postgres`: "state", "sessions" */
  readonly space: string;
  /** of `postgres` */
  readonly storage: StorageConfig;
}

export interface LazyRecords {
  /** The same records each time. @throws SpellError `disabled` (switched off, or a host that keeps nothing), store-* */
  open(): Promise<RecordStore>;
  /** Opens nothing for it. */
  close(): Promise<void>;
}

/** Opens nothing; the first call does. */
export function lazyRecords(wanted: RecordsWanted, host: RecordsHost): LazyRecords {
  let opened: Promise<RecordStore> | undefined;
  return {
    open() {
      opened ??= openRecords(wanted, host);
      return opened;
    },
    async close() {
      // one that could not be opened is closed
      await opened?.then(
        (store) => store.close(),
        () => undefined,
      );
    },
  };
}

async function openRecords(
  { what, disabled, enabled, backend, directory, space, storage }: RecordsWanted,
  host: RecordsHost,
): Promise<RecordStore> {
  const refused = (message: string, where: string, more: { readonly hint?: string; readonly actions?: readonly Action[] }): SpellError =>
    new SpellError(disabled, message, { where, ...more });
  if (!enabled.value) {
    throw refused(`${what} is switched off: ${enabled.key} is false`, enabled.key, {
      actions: switchOn(enabled.key, enabled.profile),
    });
  }
  if (backend.value === "memory") return memoryRecords();
  if (backend.value === "postgres") {
    if (host.sharedRecords === undefined) {
      throw refused(`${backend.key} is postgres, and ${host.name} reaches no database`, backend.key, {
        hint: 'Set it to "file" or "memory".',
      });
    }
    return host.sharedRecords(postgresUrl(storage, host.config?.env), space);
  }
  if (host.records === undefined) {
    throw refused(`${backend.key} is file, and ${host.name} keeps no files`, backend.key, {
      hint: 'Set it to "memory": values then last as long as the run.',
    });
  }
  return host.records(directory);
}

/** A record's value. @throws SpellError store-corrupt for other text than JSON */
export function parseRecord(text: string, name: string, store: Pick<RecordStore, "place">): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new SpellError("store-corrupt", `${name}: expected JSON in ${store.place}, got other text`, {
      where: store.place,
      hint: "Save it again, or delete it.",
      cause,
    });
  }
}
