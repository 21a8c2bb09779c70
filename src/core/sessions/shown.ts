/** Records of sessions as scripts and the command line's JSON show them. Names of their users' own data stay as they are. */

import { toBase64 } from "../base64.ts";
import { definedOnly } from "../values.ts";
import type { ReplayResult, ReplayStep } from "./replay.ts";
import type { Artifact, Session, StoredArtifact } from "./types.ts";

export type Shown = Readonly<Record<string, unknown>>;

export function shownSession({ createdAt, updatedAt, parentSessionId, customMetadata, ...rest }: Session): Shown {
  return definedOnly({
    ...rest,
    created_at: createdAt,
    updated_at: updatedAt,
    parent_session_id: parentSessionId,
    custom_metadata: customMetadata,
  });
}

export function shownArtifact({ contentHash, sessionId, isCompressed, createdAt, ...rest }: Artifact): Shown {
  return { ...rest, content_hash: contentHash, session_id: sessionId, is_compressed: isCompressed, created_at: createdAt };
}

/** Bytes come in base64, which `encoding` says. */
export function shownContent({ content, ...artifact }: StoredArtifact): Shown {
  const shown = shownArtifact(artifact);
  return content instanceof Uint8Array ? { ...shown, content: toBase64(content), encoding: "base64" } : { ...shown, content };
}

export function shownStep({ isSame, isStored, ...step }: ReplayStep): Shown {
  return definedOnly({ ...step, is_same: isSame, is_stored: isStored });
}

export function shownResult({ isStopped, steps, ...result }: ReplayResult): Shown {
  return { ...result, is_stopped: isStopped, steps: steps.map(shownStep) };
}
