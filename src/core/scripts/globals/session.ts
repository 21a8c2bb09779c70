/** `Session`, its builder, and `Artifact`: work that belongs together, and what was made in it. */

import type { AgentHost } from "../../agents/agents.ts";
import { replayAgents } from "../../agents/replay-agents.ts";
import { SpellError } from "../../errors.ts";
import { isCount } from "../../json.ts";
import { limits } from "../../limits.ts";
import { type ReplayMode, replayModes } from "../../sessions/modes.ts";
import { type Modification, type ReplayHost, type ReplayOptions, type ReplayStep, replay } from "../../sessions/replay.ts";
import type { Sessions } from "../../sessions/sessions.ts";
import { timeOf } from "../../sessions/shelf.ts";
import { shownArtifact, shownContent, shownResult, shownSession, shownStep } from "../../sessions/shown.ts";
import { type SessionOptions, sessionStatuses } from "../../sessions/types.ts";
import type { Toolbox } from "../../toolbox/toolbox.ts";
import { definedOnly } from "../../values.ts";
import {
  argumentError,
  bytes,
  callback,
  data,
  either,
  flag,
  instance,
  integer,
  list,
  number,
  oneOf,
  optional,
  options,
  type Parameter,
  table,
  text,
} from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions, waits } from "../bind.ts";
import { shownAnswer } from "./agent.ts";
import type { ScriptRun } from "./host.ts";

const id = text("id");
const tags = optional(list("tags", text("tag")));

/** Collects what a session is made of; each call gives the builder again. */
export class SessionBuilder {
  #options: SessionOptions = {};
  readonly #make: (options: SessionOptions) => Promise<string>;

  constructor(make: (options: SessionOptions) => Promise<string>) {
    this.#make = make;
  }

  set(options: SessionOptions): this {
    this.#options = { ...this.#options, ...options };
    return this;
  }

  build(): Promise<string> {
    return this.#make(this.#options);
  }
}

const builder = instance("builder", SessionBuilder, "SessionBuilder");

export const sessionBuilderClass: ScriptClass = {
  kind: SessionBuilder,
  methods: {
    name: now([builder, text("name")], (self, name) => self.set({ name })),
    description: now([builder, text("description")], (self, description) => self.set({ description })),
    tags: now([builder, list("tags", text("tag"))], (self, given) => self.set({ tags: given })),
    parent_session_id: now([builder, id], (self, parentSessionId) => self.set({ parentSessionId })),
    custom_metadata: now([builder, table("metadata")], (self, customMetadata) => self.set({ customMetadata })),
    build: now([builder], (self) => self.build()),
  },
};

const modification = options("modification", [integer("call", 1), data("input")]);
export interface GivenReplay {
  readonly mode?: ReplayMode | undefined;
  readonly compare_results?: boolean | undefined;
  readonly timeout_seconds?: number | undefined;
  readonly stop_on_error?: boolean | undefined;
  readonly modifications?: readonly Modification[] | undefined;
  /** names of fields that may differ */
  readonly ignore?: readonly string[] | undefined;
  readonly tolerance?: number | undefined;
}

/** What Replay.create_config() gives and Session.replay() takes. */
export const replayConfig: Parameter<GivenReplay> & { readonly name: "options" } = options("options", [
  optional(oneOf("mode", replayModes)),
  optional(flag("compare_results")),
  optional(number("timeout_seconds", 0.001, 31_536_000)),
  optional(flag("stop_on_error")),
  optional(list("modifications", modification)),
  optional(list("ignore", text("field"))),
  optional(number("tolerance", 0)),
]);

/** @param agents what a replay builds agents over @param toolbox tools that a replay calls again */
export function sessionGlobal(run: ScriptRun, sessions: Sessions, agents: AgentHost, toolbox: Toolbox): ScriptFunctions {
  const make = async (given: SessionOptions): Promise<string> => (await sessions.create(given)).id;
  const calls = async (session: string) => ((await sessions.get(session)) === undefined ? [] : sessions.calls.list(session));
  return {
    create: now(
      [
        optional(
          options("options", [
            optional(text("name")),
            optional(text("description")),
            tags,
            optional(text("parent_session_id")),
            optional(table("custom_metadata")),
          ]),
        ),
      ],
      (given) => {
        const { parent_session_id: parentSessionId, custom_metadata: customMetadata, ...rest } = given ?? {};
        return make(definedOnly({ ...rest, parentSessionId, customMetadata }));
      },
    ),
    builder: now([], () => new SessionBuilder(make)),
    get: now([id], async (session) => {
      const found = await sessions.get(session);
      return found === undefined ? undefined : shownSession(found);
    }),
    list: now(
      [optional(options("filter", [optional(oneOf("status", sessionStatuses)), tags, optional(integer("limit", 0))]))],
      async (filter) => (await sessions.list(definedOnly(filter ?? {}))).map(shownSession),
    ),
    save: now([id], async (session) => shownSession(await sessions.save(session))),
    load: now([id], async (session) => shownSession(await sessions.load(session))),
    complete: now([id], async (session) => shownSession(await sessions.complete(session))),
    suspend: now([id], async (session) => shownSession(await sessions.suspend(session))),
    resume: now([id], async (session) => shownSession(await sessions.resume(session))),
    delete: now([id], (session) => sessions.delete(session)),
    get_current: now([], () => sessions.current),
    set_current: now([optional(id)], (session) => sessions.setCurrent(session)),
    can_replay: now([id], async (session) => (await calls(session)).length > 0),
    replay: waits([id, optional(replayConfig), optional(callback("on_step"))], async (session, given = {}, onStep) => {
      const { ignore, tolerance } = given;
      const wanted: ReplayOptions = definedOnly({
        mode: given.mode,
        compareResults: given.compare_results,
        timeoutSeconds: given.timeout_seconds,
        stopOnError: given.stop_on_error,
        modifications: given.modifications,
        compare: definedOnly({ ignore, tolerance }),
        onStep: onStep === undefined ? undefined : (step: ReplayStep) => onStep(shownStep(step)),
        signal: run.signal,
      });
      const { agent, dispose } = replayAgents(agents, shownAnswer);
      const host = { agent, tool: toolAgain(toolbox), now: run.spell.platform.now };
      return shownResult(await replay(await sessions.calls.list(session), host, wanted).finally(dispose));
    }),
    get_replay_metadata: now([id], async (session) => {
      const all = await sessions.calls.list(session);
      const names = (kind: string) => [...new Set(all.filter((call) => call.kind === kind).map(({ name }) => name))];
      const models = [...new Set(all.map(({ about }) => about?.["model"]).filter((model) => model !== undefined))];
      const [first, last] = [all.at(0)?.startedAt, all.at(-1)?.startedAt];
      return definedOnly({
        session_id: session,
        calls: all.length,
        agents: names("agent"),
        tools: names("tool"),
        models,
        first_at: first,
        last_at: last,
      });
    }),
    list_replayable: now([], async () => {
      const found: string[] = [];
      for (const each of await sessions.list()) if ((await sessions.calls.list(each.id)).length > 0) found.push(each.id);
      return found;
    }),
  };
}

/** @returns what calls a built-in tool again; functions of scripts are none */
export function toolAgain(toolbox: Pick<Toolbox, "has" | "execute">): ReplayHost["tool"] {
  return (name) => (toolbox.has(name) ? (input, signal) => toolbox.execute(name, input, { signal }) : undefined);
}

/** Its number, or a table that has it: what store(), list() and query() give. */
const which = either("artifact", integer("artifact", 1), table("artifact"));
const [session, type, name] = [text("session"), text("type"), text("name")];
/** `tags` of it are what a query looks for. */
const meta = optional(table("metadata"));
/** ISO 8601, or milliseconds as of Utils.now() */
const time = <N extends string>(of: N) => optional(either(of, text("time"), number("time")));

export function artifactGlobal(run: ScriptRun, { artifacts }: Sessions): ScriptFunctions {
  const store = async (where: string, what: string, called: string, content: unknown, given: Readonly<Record<string, unknown>> = {}) => {
    const { tags: own, ...metadata } = given;
    const wanted = own === undefined ? [] : tagsOf(own);
    const { contentHash, sessionId, sequence } = await artifacts.store(where, what, called, content, { tags: wanted, metadata });
    return { content_hash: contentHash, session_id: sessionId, sequence };
  };
  const named = (given: number | Readonly<Record<string, unknown>>) => {
    if (typeof given === "number") return given;
    const { sequence, content_hash: contentHash } = given;
    if (!isCount(sequence)) throw argumentError("Artifact", "artifact.sequence", "a whole number", sequence);
    return definedOnly({ sequence, contentHash: typeof contentHash === "string" ? contentHash : undefined });
  };
  const content = { ...either("content", bytes("content"), data("content")), expects: "any data", takesNull: true } as const;
  return {
    store: now([session, type, name, content, meta], (...[where, what, called, made, given]) => store(where, what, called, made, given), {
      takesBytes: true,
    }),
    store_file: waits([session, text("path"), type, meta], async (where, path, what, given) => {
      if (run.files === undefined)
        throw new SpellError("script-denied", `a script may not read files: ${run.spell.platform.name} has no files for it`);
      const bytes = await run.files.bytes(path, limits.artifactBytes);
      if (bytes === undefined)
        throw new SpellError("script-error", `Artifact.store_file: expected a file, got none at ${path}`, { where: path });
      return store(where, what, path.split(/[\\/]/).at(-1) ?? path, textOf(bytes), given);
    }),
    get: now([session, which], async (where, given) => {
      const found = await artifacts.get(where, named(given));
      return found === undefined ? undefined : shownContent(found);
    }),
    list: now([session], async (where) => (await artifacts.list(where)).map(shownArtifact)),
    delete: now([session, which], (where, given) => artifacts.delete(where, named(given))),
    query: now(
      [
        optional(
          options("query", [
            optional(text("session_id")),
            optional(text("type")),
            optional(text("name_pattern")),
            tags,
            time("created_after"),
            time("created_before"),
            optional(integer("min_size", 0)),
            optional(integer("max_size", 0)),
            optional(integer("limit", 0)),
          ]),
        ),
      ],
      async (given) => {
        const query: Partial<NonNullable<typeof given>> = given ?? {};
        for (const name of ["created_after", "created_before"] as const) {
          const at = query[name];
          if (at !== undefined) timeOf(at, name); // else the library names it, in its own spelling
        }
        const camel = Object.fromEntries(
          Object.entries(query).map(([key, value]) => [key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), value]),
        );
        return (await artifacts.query(camel)).map(shownArtifact);
      },
    ),
  };
}

/** @throws SpellError script-argument */
function tagsOf(given: unknown): readonly string[] {
  const tagList = Array.isArray(given) ? (given as readonly unknown[]) : [];
  if (Array.isArray(given) && tagList.every((tag) => typeof tag === "string")) return tagList as readonly string[];
  throw argumentError("Artifact.store", "metadata.tags", "a list of text", given);
}

/** A file in UTF-8 is kept as text. */
function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}
