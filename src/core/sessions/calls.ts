/** The calls of agents and tools that were made in a session, as they can be made again. */
import { limits } from "../limits.ts";
import type { LogEntry } from "../platform.ts";
import { noLimit, numberBehind, readRecord, recordKey, type Shelf, sequenceOf, tables } from "./shelf.ts";

export interface CallRecord {
  readonly kind: "agent" | "tool";
  readonly name: string;
  /** JSON, as scripts see it */
  readonly input: unknown;
  /** absent where it failed */
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly ms: number;
  readonly startedAt: string;
  /** number of the call that it was made in */
  readonly within?: number | undefined;
  /** of an agent: what it is built of again; with its model's device and the seed of the answer */
  readonly about?: Readonly<Record<string, unknown>> | undefined;
}

/** With its number in the session, which no other call has: numbers grow in the order in which calls began. */
export interface NumberedCall extends CallRecord {
  readonly call: number;
}

export interface Calls {
  /** Takes the number of a call that begins. @throws SpellError session-unknown, session-status */
  begin(session: string): Promise<StartedCall>;
  /** in the order they began */
  list(session: string): Promise<readonly NumberedCall[]>;
}

export interface StartedCall {
  readonly call: number;
  /** What is too large, or one too many, is left out, which is logged. */
  end(record: CallRecord): Promise<void>;
}

export function createCalls(shelf: Shelf, log: (entry: LogEntry) => void): Calls {
  /** least numbers of the next calls of sessions, as their records say */
  const least = new Map<string, number>();
  return {
    async begin(session) {
      await shelf.use(session);
      const records = await shelf.open();
      const first = least.get(session) ?? numberBehind(await records.list(tables.calls(session)));
      least.set(session, first);
      const call = await records.next(tables.numbers(session), "calls", first);
      return {
        call,
        async end(record) {
          const text = JSON.stringify(record);
          const problem =
            call > limits.sessionCalls
              ? `a session keeps ${limits.sessionCalls} calls`
              : text.length > limits.sessionCallCharacters
                ? `call ${call} has ${text.length} characters, and at most ${limits.sessionCallCharacters} are kept`
                : undefined;
          if (problem !== undefined) log({ level: "warn", message: `session ${session}: ${problem}; it cannot be replayed` });
          else await (await shelf.open()).put(tables.calls(session), recordKey(call, shelf.writer), text, noLimit);
        },
      };
    },
    async list(session) {
      await shelf.need(session);
      const store = await shelf.open();
      return (await store.entries(tables.calls(session)))
        .map(([key, text]) => ({
          key,
          record: { call: sequenceOf(key), ...readRecord<CallRecord>(text, `call ${session}/${sequenceOf(key)}`, store) },
        }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ record }) => record);
    },
  };
}
