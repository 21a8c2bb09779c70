/** Sessions over records, without a spell: artifacts of a hundred bytes are compressed. */
import type { RecordStore } from "../../src/core/platform.ts";
import { createSessions, type Sessions } from "../../src/core/sessions/sessions.ts";

export function keptSessions(store: RecordStore): Sessions {
  const settings = {
    enabled: true,
    storage_backend: "file",
    directory: "kept",
    max_sessions: 9,
    max_artifacts_per_session: 1e6,
    artifact_compression_threshold: 100,
    session_timeout_seconds: 3600,
  } as const;
  return createSessions(
    { runtime: { sessions: settings }, storage: { postgres_url_env: "" } },
    { name: "test", records: async () => store, log: () => undefined },
  );
}
