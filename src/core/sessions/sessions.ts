/** Sessions: work that belongs together, with its artifacts and the calls that were made in it. They outlive the process where the configuration keeps them. */
import type { RuntimeConfig, StorageConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { LogEntry } from "../platform.ts";
import { lazyRecords, type RecordsHost } from "../store/open-records.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";
import { definedOnly } from "../values.ts";
import { type Artifacts, createArtifacts } from "./artifacts.ts";
import { type Calls, createCalls } from "./calls.ts";
import { fullError, isTags, noLimit, readRecord, type Shelf, section, tables } from "./shelf.ts";
import { type Session, type SessionFilter, type SessionOptions, type SessionStatus, sessionStatuses } from "./types.ts";

/** Every call may throw SpellError session-disabled, store-*. Those that take an id throw session-unknown for one that is not there, but for get(). */
export interface Sessions {
  readonly artifacts: Artifacts;
  readonly calls: Calls;
  /** @throws SpellError session-full, session-unknown (its parent), run-option */
  create(options?: SessionOptions): Promise<Session>;
  /** @returns undefined for one that is not there */
  get(id: string): Promise<Session | undefined>;
  /** The one used last comes first. @throws SpellError run-option */
  list(filter?: SessionFilter): Promise<readonly Session[]>;
  /** Says that it is still used. @throws SpellError session-status for one that has ended */
  save(id: string): Promise<Session>;
  /** As get(), of one that must be there. An expired one is active again. */
  load(id: string): Promise<Session>;
  /** Ends it: nothing more is added. @throws SpellError session-status */
  complete(id: string): Promise<Session>;
  /** It does not expire meanwhile, and takes nothing. @throws SpellError session-status */
  suspend(id: string): Promise<Session>;
  /** Of a suspended or expired one. @throws SpellError session-status */
  resume(id: string): Promise<Session>;
  /** With its artifacts and calls. @returns whether it was there */
  delete(id: string): Promise<boolean>;
  /** The session that calls of this program are recorded in. */
  readonly current: string | undefined;
  /** @param id undefined: none @throws SpellError session-unknown, session-status */
  setCurrent(id: string | undefined): Promise<void>;
  close(): Promise<void>;
}

export interface SessionsHost extends RecordsHost {
  readonly log: (entry: LogEntry) => void;
  /** milliseconds since the epoch; default: the clock of this machine */
  readonly wallTime?: (() => number) | undefined;
}

/** The parts of a configuration that say where they lie, and how many there may be. */
export interface SessionsConfig {
  readonly runtime: Pick<RuntimeConfig, "sessions">;
  readonly storage: StorageConfig;
}

/** As a record holds it: without what is kept apart, and without what the clock decides. */
type Kept = Omit<Session, "status"> & { readonly status: Exclude<SessionStatus, "expired"> };

const optionNames = ["name", "description", "tags", "parentSessionId", "customMetadata"];
/** A use is written at most once in so many milliseconds: an expiry is counted in seconds. */
const usedEveryMs = 1000;

/** Opens nothing; the first call does. With the backend `memory` sessions go with this object. */
export function createSessions({ runtime, storage }: SessionsConfig, host: SessionsHost): Sessions {
  const settings = runtime.sessions;
  const { wallTime = Date.now } = host;
  const records = lazyRecords(
    {
      what: "Session",
      disabled: "session-disabled",
      enabled: { value: settings.enabled, key: `${section}.enabled`, profile: "sessions" },
      backend: { value: settings.storage_backend, key: `${section}.storage_backend` },
      directory: settings.directory,
      space: "sessions",
      storage,
    },
    host,
  );
  const usedAt = new Map<string, number>();
  let current: string | undefined;

  const shown = (kept: Kept, used: string | undefined): Session => {
    const updatedAt = used !== undefined && used > kept.updatedAt ? used : kept.updatedAt;
    const isOver = kept.status === "active" && wallTime() - Date.parse(updatedAt) > settings.session_timeout_seconds * 1000;
    return { ...kept, updatedAt, status: isOver ? "expired" : kept.status };
  };
  const find = async (id: string): Promise<Session | undefined> => {
    const store = await records.open();
    const [text, used] = await Promise.all([store.get(tables.sessions, id), store.get(tables.used, id)]);
    return text === undefined ? undefined : shown(readRecord<Kept>(text, `session ${id}`, store), timeIn(used));
  };
  const need = async (id: string): Promise<Session> => {
    const found = await find(id);
    if (found !== undefined) return found;
    throw new SpellError("session-unknown", `no session ${id.slice(0, 60)}`, { where: id.slice(0, 60) });
  };
  const touch = async (id: string): Promise<void> => {
    const at = wallTime();
    if (at - (usedAt.get(id) ?? 0) < usedEveryMs) return;
    await (await records.open()).put(tables.used, id, JSON.stringify(new Date(at).toISOString()), noLimit);
    usedAt.set(id, at);
  };
  /** @param from the states it may be in */
  const change = async (id: string, what: string, from: readonly SessionStatus[], status: Kept["status"]): Promise<Session> => {
    const session = await need(id);
    if (!from.includes(session.status)) throw statusError(session, what, from);
    const kept: Kept = { ...session, status, updatedAt: new Date(wallTime()).toISOString() };
    await (await records.open()).put(tables.sessions, id, JSON.stringify(kept), noLimit);
    if (current === id && status !== "active") current = undefined;
    return shown(kept, undefined);
  };
  const use = async (id: string): Promise<void> => {
    const session = await need(id);
    if (session.status !== "active") throw statusError(session, "take anything", ["active"]);
    await touch(id);
  };
  const shelf: Shelf = { open: records.open, wallTime, writer: crypto.randomUUID().slice(0, 8), need, use };

  return {
    artifacts: createArtifacts(settings, shelf, async (filter) => (await list(filter)).map(({ id }) => id)),
    calls: createCalls(shelf, host.log),
    async create(options = {}) {
      const id = crypto.randomUUID();
      const { name, description, tags, customMetadata, parentSessionId } = readOptions(options);
      const store = await records.open();
      if ((await store.list(tables.sessions)).length >= settings.max_sessions)
        throw fullError("sessions", settings.max_sessions, "max_sessions");
      if (parentSessionId !== undefined) await need(parentSessionId);
      const now = new Date(wallTime()).toISOString();
      const kept: Kept = {
        id,
        name: name ?? `session ${id.slice(0, 8)}`,
        description: description ?? "",
        tags: tags ?? [],
        status: "active",
        createdAt: now,
        updatedAt: now,
        ...definedOnly({ parentSessionId }),
        customMetadata: customMetadata ?? {},
      };
      await store.put(tables.sessions, id, JSON.stringify(kept), noLimit);
      return kept;
    },
    get: find,
    list: (filter) => list(filter),
    async save(id) {
      const session = await need(id);
      if (session.status === "completed" || session.status === "expired") throw statusError(session, "be saved", ["active", "suspended"]);
      await touch(id);
      return need(id);
    },
    async load(id) {
      const session = await need(id);
      return session.status === "expired" ? change(id, "be loaded", ["expired"], "active") : session;
    },
    complete: (id) => change(id, "be completed", ["active", "suspended", "expired"], "completed"),
    suspend: (id) => change(id, "be suspended", ["active"], "suspended"),
    resume: (id) => change(id, "be resumed", ["suspended", "expired"], "active"),
    async delete(id) {
      const store = await records.open();
      // the session goes last: what a killed process leaves is still found, and deleted with the next try
      for (const table of [tables.artifacts(id), tables.contents(id), tables.calls(id), tables.numbers(id)]) await store.clear(table);
      await store.remove(tables.used, id);
      if (current === id) current = undefined;
      return store.remove(tables.sessions, id);
    },
    get current() {
      return current;
    },
    async setCurrent(id) {
      if (id !== undefined) await use(id);
      current = id;
    },
    close: records.close,
  };

  async function list(filter: SessionFilter = {}): Promise<readonly Session[]> {
    checkOptionNames(filter, ["status", "tags", "limit"], "list");
    const { status, tags = [], limit = Number.POSITIVE_INFINITY } = filter;
    if (status !== undefined && !sessionStatuses.includes(status)) throw wrongOption("status", sessionStatuses.join(", "), status);
    const store = await records.open();
    const used = new Map(await store.entries(tables.used));
    return (await store.entries(tables.sessions))
      .map(([id, text]) => shown(readRecord<Kept>(text, `session ${id}`, store), timeIn(used.get(id))))
      .filter((each) => (status === undefined || each.status === status) && tags.every((tag) => each.tags.includes(tag)))
      .sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : a.id < b.id ? -1 : 1))
      .slice(0, limit);
  }
}

/** @throws SpellError run-option */
function readOptions(options: SessionOptions): SessionOptions {
  checkOptionNames(options, optionNames, "a session");
  const { name, description, tags, customMetadata } = options;
  for (const [key, text] of Object.entries({ name, description }))
    if (text !== undefined && (typeof text !== "string" || text.length > limits.sessionText))
      throw wrongOption(key, `text of at most ${limits.sessionText} characters`, text);
  if (tags !== undefined && !isTags(tags)) throw wrongOption("tags", `at most ${limits.sessionTags} texts`, tags);
  if (customMetadata !== undefined && JSON.stringify(customMetadata).length > limits.sessionMetadata)
    throw wrongOption("customMetadata", `at most ${limits.sessionMetadata} characters of JSON`, customMetadata);
  return options;
}

function timeIn(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /^"([\d\-T:.Z]+)"$/.exec(text)?.[1];
}

function statusError({ id, status }: Session, what: string, expected: readonly SessionStatus[]): SpellError {
  return new SpellError("session-status", `session ${id} is ${status} and cannot ${what}: expected ${expected.join(" or ")}`, {
    where: id,
    hint: status === "completed" ? "A completed session stays as it is; begin another one." : undefined,
    details: { status, expected },
  });
}
