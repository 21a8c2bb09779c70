/** What a session is, what is kept in it, and what can be asked of both. Types only. */

export const sessionStatuses = ["active", "suspended", "completed", "expired"] as const;
/** `expired`: active, and left alone for longer than `session_timeout_seconds`. Completed and expired sessions take nothing more. */
export type SessionStatus = (typeof sessionStatuses)[number];

export interface SessionOptions {
  /** default: `session` and the first 8 signs of its id */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** the session that this one belongs to */
  readonly parentSessionId?: string | undefined;
  /** JSON */
  readonly customMetadata?: Readonly<Record<string, unknown>> | undefined;
}

export interface Session {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly status: SessionStatus;
  /** ISO 8601 in UTC, as all times here */
  readonly createdAt: string;
  /** of the last change, artifact or call */
  readonly updatedAt: string;
  readonly parentSessionId?: string | undefined;
  readonly customMetadata: Readonly<Record<string, unknown>>;
}

export interface SessionFilter {
  readonly status?: SessionStatus | undefined;
  /** all of them */
  readonly tags?: readonly string[] | undefined;
  readonly limit?: number | undefined;
}

/** Names an artifact: what store() gave, or its number in the session. */
export type ArtifactName = number | (Pick<ArtifactId, "sequence"> & Partial<ArtifactId>);

export interface ArtifactId {
  /** `sha256:` and 64 hex digits, of the content */
  readonly contentHash: string;
  readonly sessionId: string;
  /** from 1, in the order of one program, and of no other artifact of the session; earlier builds could give one twice */
  readonly sequence: number;
}

export interface Artifact extends ArtifactId {
  /** free words: "report", "code" */
  readonly type: string;
  readonly name: string;
  /** bytes of the content */
  readonly size: number;
  readonly isCompressed: boolean;
  readonly createdAt: string;
  readonly tags: readonly string[];
  /** JSON */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface StoredArtifact extends Artifact {
  /** text where it was stored as text, a JSON value where it was one, else bytes */
  readonly content: unknown;
}

export interface ArtifactQuery {
  /** default: all sessions */
  readonly sessionId?: string | undefined;
  readonly type?: string | undefined;
  /** `*` is any text, `?` one character */
  readonly namePattern?: string | undefined;
  /** all of them */
  readonly tags?: readonly string[] | undefined;
  /** ISO 8601, or milliseconds since the epoch */
  readonly createdAfter?: string | number | undefined;
  readonly createdBefore?: string | number | undefined;
  /** bytes */
  readonly minSize?: number | undefined;
  readonly maxSize?: number | undefined;
  readonly limit?: number | undefined;
}
