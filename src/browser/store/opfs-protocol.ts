/** What the page and the worker that writes parts say to each other. Plain data; buffers are moved, not copied. */
import type { SpellErrorJson } from "../../core/errors.ts";

export type OpfsRequest =
  /** @returns bytes there are */
  | { readonly type: "open"; readonly part: number; readonly name: string; readonly isNew: boolean }
  | { readonly type: "write"; readonly part: number; readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "read"; readonly part: number; readonly offset: number; readonly length: number }
  | { readonly type: "truncate"; readonly part: number; readonly size: number }
  | { readonly type: "flush"; readonly part: number }
  /** Checks size and hash, then gives the file its final name. @returns the digest */
  | { readonly type: "commit"; readonly part: number; readonly size: number; readonly sha256: string | undefined; readonly call: number }
  /** Ends the hashing of a commit. */
  | { readonly type: "abort"; readonly call: number }
  | { readonly type: "close"; readonly part: number };

export type OpfsAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: SpellErrorJson };
