/**
 * Writes records, artifacts and calls until it is killed, and names each on standard output once it is safe: record-writer.mjs MODULE FOLDER DRIVER WRITER SESSION
 * Without SESSION only records are written.
 */
const [module = "", folder, driver, writer, session] = process.argv.slice(2);
const { builtinSqlite, createSessions, packageSqlite, sqliteRecords } = await import(module);
const open = driver === "libsql" ? await packageSqlite() : builtinSqlite();
const store = await sqliteRecords(folder, open, () => undefined);
const settings = {
  enabled: true,
  storage_backend: "file",
  directory: folder,
  max_sessions: 9,
  max_artifacts_per_session: 1e6,
  artifact_compression_threshold: 100,
  session_timeout_seconds: 3600,
};
const { artifacts, calls } = createSessions(
  { runtime: { sessions: settings }, storage: { postgres_url_env: "" } },
  { name: "test", records: async () => store, log: () => undefined },
);
for (let i = 0; ; i++) {
  const key = `${writer}-${i}`;
  await store.put("kept", key, JSON.stringify(key), 1e9);
  if (session !== undefined) {
    await artifacts.store(session, "text", key, `${key} `.repeat(40));
    const { end } = await calls.begin(session);
    await end({ kind: "tool", name: key, input: {}, ms: 0, startedAt: "" });
  }
  process.stdout.write(`${key}\n`);
}
