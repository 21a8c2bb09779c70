/** Global flags and their variables to the settings of a run. A flag beats its variable. */
import { SpellError } from "../../core/errors.ts";
import { flagText, type GivenFlags } from "./args.ts";
import { type OutputFormat, type TraceLevel, traceLevels } from "./flags.ts";
import { quoteShort } from "./problems.ts";
import type { ScreenSettings } from "./render.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Never fails, because errors have to be printed with it; checkEnvironment() tells what is wrong with a variable. */
export function readSettings(flags: GivenFlags, env: Env): ScreenSettings {
  const fromEnv = traceLevels.find((level) => level === env["LLMSPELL_TRACE"]?.toLowerCase());
  // no-color.org: any value but an empty one
  const isPlain = flags.has("no-color") || env["TERM"] === "dumb";
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return {
    format: (flagText(flags, "output") as OutputFormat | undefined) ?? "text",
    trace: (flagText(flags, "trace") as TraceLevel | undefined) ?? fromEnv ?? "warn",
    quiet: flags.has("quiet"),
    color: !isPlain && (env["NO_COLOR"] ?? "") === "",
    escapes: !isPlain,
    unicode: !/^(C|POSIX)$/.test(locale) && env["TERM"] !== "dumb" && env["TERM"] !== "linux",
  };
}

/** Whether flag or variable say the log level; if not, the configuration does. */
export function isTraceGiven(flags: GivenFlags, env: Env): boolean {
  return flags.has("trace") || (env["LLMSPELL_TRACE"] ?? "") !== "";
}

/** @throws SpellError env-value */
export function checkEnvironment(flags: GivenFlags, env: Env): void {
  const trace = env["LLMSPELL_TRACE"] ?? "";
  if (trace !== "" && !flags.has("trace") && !traceLevels.some((level) => level === trace.toLowerCase())) {
    const message = `LLMSPELL_TRACE: expected ${traceLevels.join(", ")}; got ${quoteShort(trace)}`;
    throw new SpellError("env-value", message, {
      where: "LLMSPELL_TRACE",
      actions: [{ kind: "unset-variables", names: ["LLMSPELL_TRACE"] }],
    });
  }
}
