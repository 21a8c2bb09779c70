/** `llmspell serve`: models behind an address, until Ctrl-C or SIGTERM. */
import { SpellError, toSpellError } from "../../core/errors.ts";
import type { RequestRecord } from "../../core/serve/record.ts";
import { createServe } from "../../core/serve/serve.ts";
import { listen } from "../serve/listen.ts";
import { shell } from "./advice.ts";
import { flagNumber, flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { isTraceGiven } from "./settings.ts";

/** Answers under way have this long once the server is told to end, and what is left of it a moment more. */
const drainMs = 10_000;
const patienceMs = drainMs + 1_500;
/** A token of fewer characters can be guessed: 22 of base64 are 128 bits. */
const leastToken = 22;
const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);

/** @throws SpellError usage-value, usage-confirm, config-*; of models named with -m */
export async function serve(context: Context): Promise<number> {
  const { flags, screen, env, interrupt } = context;
  const host = flagText(flags, "host") ?? "127.0.0.1";
  const token = tokenOf(flagText(flags, "token-env"), env);
  if (!loopback.has(host) && token === undefined)
    throw new SpellError("usage-value", `--host ${host}: expected a token with an address that others reach; got none`, {
      where: "--host",
      hint: "Put a random text into a variable and name it:",
      actions: shell("export SERVE_TOKEN=$(openssl rand -hex 32)", `llmspell serve --host ${host} --token-env SERVE_TOKEN`),
    });
  if (token !== undefined) screen.hide([token]);
  const spell = await context.openSpell("auto");
  const { origins } = await context.config();
  // who runs a server wants to see that it is asked, where nothing was said about it
  if (!isTraceGiven(flags, env) && (origins.get("runtime.log_level") ?? "default") === "default") screen.trace("info");
  const named = flags.get("model") ?? [];
  const pull = flags.has("allow-pull");
  // a wrong name is told now, not to whoever asks first
  for (const name of named)
    await spell.models.info(name, { signal: interrupt.signal }).catch((error: unknown) => {
      if (!(pull && toSpellError(error).code === "model-not-installed")) throw error;
    });
  const answer = createServe(spell, {
    models: named,
    pull,
    ollamaApi: flags.has("ollama-api"),
    onRequest: (record) => screen.log({ level: "info", message: lineOf(record) }),
  });
  const { url, close } = await listen(answer, {
    host,
    port: flagNumber(flags, "port") ?? 8088,
    token,
    allowHosts: flags.get("allow-host"),
    allowOrigins: flags.get("allow-origin"),
    drainMs,
    onRefusal(refused) {
      answer.refused(refused);
      const { cause } = refused.error;
      if (cause !== undefined) screen.log({ level: "error", message: String(cause) });
    },
  });
  interrupt.allow(patienceMs);
  screen.document({ status: "ok", url });
  screen.write(`${url}\n`);
  if (!interrupt.signal.aborted) await new Promise((resolve) => interrupt.signal.addEventListener("abort", resolve, { once: true }));
  await close();
  await spell.dispose();
  return 0;
}

/** @throws SpellError config-api-key-missing, usage-value */
function tokenOf(name: string | undefined, env: Context["env"]): string | undefined {
  if (name === undefined) return undefined;
  const token = env[name];
  if (token === undefined || token === "")
    throw new SpellError("config-api-key-missing", `${name} holds no token`, {
      where: name,
      actions: shell(`export ${name}=$(openssl rand -hex 32)`),
    });
  const isHeader = /^[\x21-\x7e]*$/.test(token);
  if (token.length < leastToken || !isHeader)
    throw new SpellError(
      "usage-value",
      isHeader
        ? `${name}: expected at least ${leastToken} letters, digits and signs; got ${token.length}`
        : `${name}: expected letters, digits and signs of ASCII alone; got a space or another letter among ${token.length} characters`,
      {
        where: name,
        hint: isHeader ? "A shorter one can be guessed:" : "A header holds no other:",
        actions: shell(`export ${name}=$(openssl rand -hex 32)`),
      },
    );
  return token;
}

/** What prompts and answers say is not told. */
function lineOf({ method, path, status, durationMs, model, usage, error, hasLeft }: RequestRecord): string {
  const words = [method, path, String(status), `${(durationMs / 1000).toFixed(2)} s`];
  if (model !== undefined) words.push(model);
  if (usage !== undefined) words.push(`${usage.promptTokens}+${usage.completionTokens} tokens`);
  if (error !== undefined) words.push(error);
  if (hasLeft === true) words.push("left");
  return words.join(" ");
}
