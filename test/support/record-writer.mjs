/** Writes records until it is killed, and names each on standard output once it is safe: record-writer.mjs MODULE FOLDER DRIVER WRITER */
const [module = "", folder, driver, writer] = process.argv.slice(2);
const { builtinSqlite, packageSqlite, sqliteRecords } = await import(module);
const open = driver === "libsql" ? await packageSqlite() : builtinSqlite();
const store = await sqliteRecords(folder, open, () => undefined);
for (let i = 0; ; i++) {
  const key = `${writer}-${i}`;
  await store.put("kept", key, JSON.stringify(key), 1e9);
  process.stdout.write(`${key}\n`);
}
