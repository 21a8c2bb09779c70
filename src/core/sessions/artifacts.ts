/** Artifacts: what was made in a session, by its content. */
import type { RuntimeConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";
import { fitsName } from "../wildcard.ts";
import { packContent, readContent, unpackContent } from "./content.ts";
import { fullError, isTags, noLimit, numberBehind, readRecord, recordKey, type Shelf, sequenceOf, tables, timeOf } from "./shelf.ts";
import type { Artifact, ArtifactId, ArtifactName, ArtifactQuery, SessionFilter, StoredArtifact } from "./types.ts";

export interface ArtifactOptions {
  /** what query() looks for */
  readonly tags?: readonly string[] | undefined;
  /** JSON */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** Every call may throw SpellError session-disabled, session-unknown, store-*. */
export interface Artifacts {
  /**
   * Durable when it returns. A content of `artifact_compression_threshold` bytes and more is compressed, where that makes it smaller.
   * @param content text, bytes, or a JSON value
   * @throws SpellError session-full (too many, too large), session-status (the session takes nothing more), run-option
   */
  store(session: string, type: string, name: string, content: unknown, options?: ArtifactOptions): Promise<ArtifactId>;
  /**
   * @returns undefined for one that is not there
   * @throws SpellError store-corrupt where the content is not the one that was stored; run-option for a number alone that two have, as earlier builds gave it
   */
  get(session: string, artifact: ArtifactName): Promise<StoredArtifact | undefined>;
  /** in the order they came */
  list(session: string): Promise<readonly Artifact[]>;
  /** @returns whether it was there @throws SpellError run-option, as get() */
  delete(session: string, artifact: ArtifactName): Promise<boolean>;
  /** Of one session or all, the newest first. @throws SpellError run-option */
  query(query?: ArtifactQuery): Promise<readonly Artifact[]>;
}

const queryNames = ["sessionId", "type", "namePattern", "tags", "createdAfter", "createdBefore", "minSize", "maxSize", "limit"];

export function createArtifacts(
  settings: Pick<RuntimeConfig["sessions"], "max_artifacts_per_session" | "artifact_compression_threshold">,
  shelf: Shelf,
  sessionIds: (filter?: SessionFilter) => Promise<readonly string[]>,
): Artifacts {
  /** One after the other: their numbers are in the order of the calls. */
  let storing: Promise<unknown> = Promise.resolve();

  const all = async (session: string): Promise<readonly (readonly [key: string, artifact: Artifact])[]> => {
    await shelf.need(session);
    const store = await shelf.open();
    const entries = await store.entries(tables.artifacts(session));
    return entries
      .map(([key, text]) => [key, readRecord<Artifact>(text, `artifact ${session}/${sequenceOf(key)}`, store)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  };
  const find = async (session: string, named: ArtifactName) => {
    const wanted: Partial<ArtifactId> = typeof named === "number" ? { sequence: named } : named;
    const found = (await all(session)).filter(
      ([, { sequence, contentHash }]) =>
        sequence === wanted.sequence && (wanted.contentHash === undefined || contentHash === wanted.contentHash),
    );
    if (found.length > 1 && wanted.contentHash === undefined) {
      const ids = found.map(([, { sequence, contentHash, name }]) => `${sequence} ${contentHash} (${name})`).join(", ");
      throw new SpellError("run-option", `${found.length} artifacts of session ${session} have the number ${wanted.sequence}: ${ids}`, {
        where: "sequence",
        hint: "Give the hash of the content too.",
      });
    }
    return found[0];
  };
  const store: Artifacts["store"] = async (session, type, name, content, options = {}) => {
    const { tags = [], metadata = {} } = checked(type, name, options);
    await shelf.use(session);
    const records = await shelf.open();
    const read = await readContent(content, name);
    const keys = await records.list(tables.artifacts(session));
    if (keys.length >= settings.max_artifacts_per_session)
      throw fullError("artifacts in a session", settings.max_artifacts_per_session, "max_artifacts_per_session");
    const { text, isCompressed } = await packContent(read, settings.artifact_compression_threshold);
    const sequence = await records.next(tables.numbers(session), "artifacts", numberBehind(keys));
    const key = recordKey(sequence, shelf.writer);
    const id: ArtifactId = { contentHash: read.hash, sessionId: session, sequence };
    const facts = {
      type,
      name,
      size: read.bytes.length,
      isCompressed,
      createdAt: new Date(shelf.wallTime()).toISOString(),
      tags,
      metadata,
    };
    // the content first: what is listed is there
    await records.put(tables.contents(session), key, text, noLimit);
    await records.put(tables.artifacts(session), key, JSON.stringify({ ...id, ...facts } satisfies Artifact), noLimit);
    return id;
  };
  return {
    store(...given) {
      const stored = storing.then(() => store(...given));
      storing = stored.catch(() => undefined);
      return stored;
    },
    async get(session, named) {
      const found = await find(session, named);
      if (found === undefined) return undefined;
      const [key, artifact] = found;
      const name = `artifact ${session}/${artifact.sequence}`;
      const records = await shelf.open();
      const text = await records.get(tables.contents(session), key);
      return {
        ...artifact,
        content: await unpackContent(text === undefined ? undefined : readRecord(text, name, records), artifact, name),
      };
    },
    list: async (session) => (await all(session)).map(([, artifact]) => artifact),
    async delete(session, named) {
      const found = await find(session, named);
      if (found === undefined) return false;
      const records = await shelf.open();
      const isGone = await records.remove(tables.artifacts(session), found[0]);
      await records.remove(tables.contents(session), found[0]);
      return isGone;
    },
    async query(query = {}) {
      checkOptionNames(query, queryNames, "query");
      const {
        sessionId,
        type,
        namePattern,
        tags = [],
        createdAfter,
        createdBefore,
        minSize = 0,
        maxSize = Number.POSITIVE_INFINITY,
      } = query;
      const after = createdAfter === undefined ? Number.NEGATIVE_INFINITY : timeOf(createdAfter, "createdAfter");
      const before = createdBefore === undefined ? Number.POSITIVE_INFINITY : timeOf(createdBefore, "createdBefore");
      const found: Artifact[] = [];
      for (const id of sessionId === undefined ? await sessionIds() : [sessionId]) {
        for (const [, artifact] of await all(id)) {
          const at = Date.parse(artifact.createdAt);
          const isIn = at >= after && at <= before && artifact.size >= minSize && artifact.size <= maxSize;
          const isNamed =
            (type === undefined || artifact.type === type) && (namePattern === undefined || fitsName(namePattern, artifact.name));
          if (isIn && isNamed && tags.every((tag) => artifact.tags.includes(tag))) found.push(artifact);
        }
      }
      return found
        .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : b.sequence - a.sequence))
        .slice(0, query.limit ?? found.length);
    },
  };
}

/** @throws SpellError run-option */
function checked(type: string, name: string, options: ArtifactOptions): ArtifactOptions {
  checkOptionNames(options, ["tags", "metadata"], "an artifact");
  for (const [key, text] of Object.entries({ type, name }))
    if (typeof text !== "string" || text === "" || text.length > limits.sessionText)
      throw wrongOption(key, `text of 1 … ${limits.sessionText} characters`, text);
  const { tags, metadata } = options;
  if (tags !== undefined && !isTags(tags)) throw wrongOption("tags", `at most ${limits.sessionTags} texts`, tags);
  if (metadata !== undefined && JSON.stringify(metadata).length > limits.sessionMetadata)
    throw wrongOption("metadata", `at most ${limits.sessionMetadata} characters of JSON`, metadata);
  return options;
}
