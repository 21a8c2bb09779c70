/** `Config`: what is set, without secrets. A script may add providers for itself, and change models and sampling of those that are there. */

import { withProvider } from "../../agents/agents.ts";
import { resolveConfig } from "../../api/configuration.ts";
import type { ProviderConfig } from "../../config/config.generated.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import { SpellError } from "../../errors.ts";
import { parameterRules } from "../../text/parameters.ts";
import { any, argumentError, optional, table, text } from "../arguments.ts";
import { now, type ScriptFunctions } from "../bind.ts";
import { denied, permitModel, redacted, type ScriptRun } from "./host.ts";
import { declared } from "./provider.ts";

const changeable = ["default_model", "stop", "preset", ...parameterRules.map(({ snakeName }) => snakeName)];
/** Not `api_key_env`: a script gets at no variable that it may not read. */
const settable = [...changeable, "provider_type", "base_url", "api_key", "timeout_seconds", "context_size"];

export function configGlobal(run: ScriptRun): ScriptFunctions {
  const shown = (value: unknown): unknown => (value === undefined ? undefined : redacted(value, run.config.secrets));
  const security = () => run.config.config.runtime.security;
  const snapshots = new Map<string, ResolvedConfig>();
  const never = (what: string, key: string) => () => {
    throw denied(what, key, run.config);
  };
  return {
    get: now([], () => shown(run.config.config)),
    to_json: now([], () => JSON.stringify(shown(run.config.config), undefined, 2)),
    get_section: now([text("name")], (name) => shown((run.config.config as unknown as Readonly<Record<string, unknown>>)[name])),
    get_default_engine: now([], () => run.config.config.default_engine),
    get_provider: now([text("name")], (name) => shown(declared(run).find(([each]) => each === name)?.[1])),
    list_providers: now([], () => declared(run).map(([name]) => name)),
    get_security: now([], () => shown(security())),
    is_file_access_allowed: now([], () => security().allow_file_access),
    is_network_access_allowed: now([], () => security().allow_network_access),
    get_permissions: now([], () => ({
      read: true,
      modify_providers: true,
      modify_tools: false,
      modify_runtime: false,
      modify_security: false,
      access_secrets: false,
    })),
    snapshot: now([], () => {
      const id = crypto.randomUUID();
      snapshots.set(id, run.config);
      return id;
    }),
    restore_snapshot: now([text("id")], (id) => {
      const kept = snapshots.get(id);
      if (kept === undefined) throw argumentError("Config.restoreSnapshot", "id", "what Config.snapshot() gave", id);
      if (kept !== run.config) run.use(kept);
    }),
    set_provider: now([text("name"), table("config")], async (name, given) => {
      const found = declared(run).find(([each]) => each === name)?.[1];
      const known = found === undefined ? settable : changeable;
      const unknown = Object.keys(given).find((key) => !known.includes(key));
      if (unknown !== undefined) {
        throw new SpellError(
          "script-denied",
          `Config.setProvider: a script may not set ${unknown.slice(0, 60)} of ${found === undefined ? "a new provider" : name}`,
          {
            where: `providers.${name}.${unknown.slice(0, 60)}`,
            hint: `It may set: ${known.join(", ")}.`,
          },
        );
      }
      if (typeof given["default_model"] === "string") permitModel(given["default_model"], run);
      const values = { ...found, ...given } as ProviderConfig;
      const { config } = await resolveConfig({ config: { providers: { [name]: values } }, env: {} }, { name: "a script" });
      const provider = config.providers[name] as ProviderConfig;
      // a script gets at no variable, not even at that of a service's vendor
      const isOwn = found === undefined && "base_url" in provider && provider.api_key === undefined;
      run.use(withProvider(run.config, name, isOwn ? { ...provider, api_key: "" } : provider));
    }),
    set_security: now([optional(any("security"))], never("change its own permissions", "runtime.security")),
    add_allowed_path: now([optional(any("path"))], never("add to its own folders", "runtime.security.allowed_paths")),
  };
}
