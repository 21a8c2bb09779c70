/** `Utils`: small things that neither language brings, and files where the configuration allows them. */
import { fromBase64, toBase64 } from "../../base64.ts";
import { SpellError } from "../../errors.ts";
import type { ScriptFiles } from "../../platform.ts";
import { version } from "../../version.ts";
import { argumentError, number, text } from "../arguments.ts";
import { now, type ScriptFunctions, waits } from "../bind.ts";
import { denied, type ScriptRun } from "./host.ts";

export function utilsGlobal(run: ScriptRun): ScriptFunctions {
  const [path, given] = [text("path"), text("text")];
  const files = (what: string): ScriptFiles => {
    if (run.files === undefined)
      throw new SpellError("script-denied", `a script may not ${what}: ${run.spell.platform.name} has no files for it`);
    return run.files;
  };
  return {
    uuid: now([], () => crypto.randomUUID()),
    now: now([], () => Date.now()),
    timestamp: now([], () => new Date().toISOString()),
    sleep: waits([number("seconds", 0, 86_400)], (seconds) => sleep(seconds * 1000, run.signal)),
    sha256: now([given], async (said) => {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(said)));
      return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }),
    base64_encode: now([given], (said) => toBase64(new TextEncoder().encode(said))),
    base64_decode: now([given], (said) => {
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fromBase64(said));
      } catch {
        throw argumentError("Utils.base64_decode", "text", "base64 of text in UTF-8", said);
      }
    }),
    trim: now([given], (said) => said.trim()),
    split: now([given, text("separator")], (said, separator) => {
      if (separator === "") throw argumentError("Utils.split", "separator", "text that is not empty", separator);
      return said.split(separator);
    }),
    read_stdin: waits([], async () => (await run.readInput?.()) ?? ""),
    read_file: waits([path], async (name) => {
      const found = await files("read files").read(name);
      if (found === undefined)
        throw new SpellError("script-error", `Utils.read_file: expected a file, got none at ${name}`, { where: name });
      return found;
    }),
    write_file: waits([path, given], (name, said) => files("write files").write(name, said, false)),
    file_exists: waits([path], (name) => files("look at files").exists(name)),
    list_dir: waits([path], (name) => files("look at folders").list(name)),
    env: now([text("name")], (name) => {
      const { allowed_env } = run.config.config.runtime.security;
      if (!allowed_env.includes(name)) throw denied(`read the variable ${name.slice(0, 60)}`, "runtime.security.allowed_env", run.config);
      return run.env?.[name];
    }),
    platform: now([], () => ({ name: run.spell.platform.name, language: run.language, version })),
  };
}

function sleep(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      over.removeEventListener("abort", end);
      resolve();
    }
    over.addEventListener("abort", end, { once: true });
  });
}
