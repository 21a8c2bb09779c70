/** What the page and the worker that writes parts say to each other. Plain data; buffers are moved, not copied. */
import type { SpellErrorJson } from "../../core/errors.ts";

export interface OpfsCall {
  readonly id: number;
  /** number of the part, given by the page */
  readonly part: number;
  readonly request: OpfsRequest;
}

export type OpfsRequest =
  /** @returns bytes of the file */
  | { readonly type: "open"; readonly name: string; readonly isNew: boolean }
  | { readonly type: "write"; readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "read"; readonly offset: number; readonly length: number }
  | { readonly type: "truncate"; readonly size: number }
  | { readonly type: "flush" }
  /** Checks size and hash, then gives the file its final name. @returns the digest */
  | { readonly type: "commit"; readonly size: number; readonly sha256: string | undefined }
  /** Ends the hashing of a commit. */
  | { readonly type: "abort" }
  | { readonly type: "close" };

export type OpfsAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: SpellErrorJson };
