/** One request on its way. Types only. */
import type { Spell } from "../api/spell.ts";
import type { OpenRecord } from "./record.ts";
import type { Served } from "./served.ts";

export interface Call {
  readonly request: Request;
  readonly pathname: string;
  /** ends the work: the caller's, and leave() */
  readonly signal: AbortSignal;
  /** The reader of the answer has left. */
  readonly leave: () => void;
  readonly spell: Spell;
  readonly served: Served;
  readonly isStrict: boolean;
  readonly record: OpenRecord;
  readonly metrics: () => string;
}

export type Handler = (call: Call) => Promise<Response>;
