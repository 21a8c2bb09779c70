/** A Postgres for a file of tests: the one that LLMSPELL_TEST_POSTGRES names, else one of this machine's own programs on loopback. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface PostgresServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** nobody: Postgres refuses to run as root. */
const nobody = 65_534;

/** @param extension such as "vector", which it must have @returns undefined where there is none */
export function postgresPrograms(extension?: string): string | undefined {
  const folders = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, "bin")) : [],
  );
  const has = (folder: string): boolean => {
    if (extension === undefined) return true;
    const shared = execFileSync(join(folder, "pg_config"), ["--sharedir"], { encoding: "utf8" }).trim();
    return existsSync(join(shared, "extension", `${extension}.control`));
  };
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")) && has(folder));
}

export async function startPostgres(extension?: string): Promise<PostgresServer> {
  const given = process.env["LLMSPELL_TEST_POSTGRES"];
  if (given !== undefined) return { url: given, stop: async () => undefined };
  const programs = postgresPrograms(extension);
  if (programs === undefined) throw new Error("no Postgres on this machine");
  const folder = mkdtempSync(join(tmpdir(), "llmspell-postgres-"));
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: nobody, gid: nobody } : {};
  if (isRoot) chownSync(folder, nobody, nobody);
  chmodSync(folder, 0o700);
  const data = join(folder, "data");
  const options = { ...user, cwd: folder, env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" } };
  execFileSync(join(programs, "initdb"), ["-D", data, "-U", "llmspell", "-A", "trust", "--no-sync", "-E", "UTF8"], {
    ...options,
    stdio: "ignore",
  });
  const port = await freePort();
  const server: ChildProcess = spawn(
    join(programs, "postgres"),
    ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", folder, "-c", "fsync=off"],
    { ...options, stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  await new Promise<void>((resolve, reject) => {
    server.once("exit", () => reject(new Error(said)));
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("ready to accept connections")) resolve();
    });
  });
  return {
    url: `postgres://llmspell:not-asked@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = new Promise((resolve) => server.once("close", resolve));
      server.kill("SIGQUIT");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
