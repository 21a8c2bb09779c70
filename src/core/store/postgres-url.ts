/** Where the database for teams is. */
import type { StorageConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import type { Environment } from "../platform.ts";

/** @throws SpellError config-api-key-missing where neither the key nor the variable is set */
export function postgresUrl({ postgres_url: url, postgres_url_env: variable }: StorageConfig, env: Environment = {}): string {
  const found = url ?? env[variable];
  if (found !== undefined && found !== "") return found;
  throw new SpellError("config-api-key-missing", `storage.postgres_url is not set, and the variable ${variable} neither`, {
    where: "storage.postgres_url",
    hint: "Set the variable to postgres://user:password@host:5432/database",
    actions: [{ kind: "set-variable", name: variable }],
  });
}
