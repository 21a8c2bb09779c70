/** `llmspell model remove`, `verify`, `prune`: looking after what is stored. */
import type { Models } from "../../core/api/models.ts";
import type { ModelInfo, RemoveResult, VerifyResult } from "../../core/backends/models.ts";
import { SpellError } from "../../core/errors.ts";
import { hostsToAllow } from "../../core/spec/model-spec.ts";
import { toSnake } from "../../core/values.ts";
import { flagNumber } from "./args.ts";
import { confirm } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, plural } from "./format.ts";
import type { Screen } from "./render.ts";

/** All are looked up, and asked about, before the first is deleted. @throws SpellError usage-confirm; of LocalLlm.remove */
export async function modelRemove(context: Context): Promise<number> {
  const { operands, flags, screen, openSpell } = context;
  const { models } = await openSpell();
  /** by what they are, so that two names of one model remove it once */
  const specs = new Map<string, string>();
  for (const spec of operands) {
    const info = await lookRemovable(models, spec);
    if (specs.has(info?.id ?? spec)) continue;
    specs.set(info?.id ?? spec, spec);
    if (!flags.has("yes")) await confirm(context, removeQuestion(info, spec), "nothing was removed");
  }
  const removed: RemoveResult[] = [];
  for (const spec of specs.values()) {
    const result = await models.remove(spec).catch((error: unknown) => {
      throw tellFinished(screen, withoutPull(error), { removed });
    });
    removed.push(result);
    screen.writeOwn(`${screen.clean(result.modelId)}\n`);
    const [kept, ...more] = result.keptFiles;
    if (kept === undefined) continue;
    screen.note(`not deleted, because another tool or you own it: ${kept}${more.length === 0 ? "" : ` and ${more.length} more`}`);
  }
  screen.document({ status: "ok", removed: toSnake(removed) });
  return 0;
}

/** @returns undefined for a damaged model, which can be removed too @throws SpellError of LocalLlm.remove, for what is not there or not removed */
async function lookRemovable(models: Models, spec: string): Promise<ModelInfo | undefined> {
  const isOthers = /^(\.{1,2}([/\\]|$)|[/~]|[A-Za-z]:[\\/])/.test(spec) || !(await models.isLocal(spec));
  const info = isOthers
    ? undefined
    : await models.info(spec).catch((error: unknown) => {
        if (error instanceof SpellError && !/^(model-(not|unknown|ambiguous|variant)|spec|backend|usage|ollama|net|run)/.test(error.code))
          return undefined;
        throw withoutPull(error);
      });
  // it says why not
  if (isOthers || info?.bundled === true) await models.remove(spec);
  return info;
}

/** The one document of a command that fails after others of its operands were finished. @returns the error */
export function tellFinished(screen: Screen, error: unknown, finished: Readonly<Record<string, readonly unknown[]>>): unknown {
  if (error instanceof SpellError) screen.document({ status: "error", ...toSnake(finished), error: screen.errorFields(error) });
  return error;
}

/** The command that fetches a model does not help to remove it. */
function withoutPull(error: unknown): unknown {
  if (!(error instanceof SpellError) || error.code !== "model-not-installed") return error;
  return error.with({ hint: "There is nothing to remove. Installed models:", actions: [{ kind: "list" }] });
}

function removeQuestion(info: ModelInfo | undefined, spec: string): string {
  if (info === undefined) return `Remove ${spec}?`;
  const isOthers = info.source === "file" || info.source === "hf-cache" || info.source === "ollama-store";
  return isOthers ? `Forget ${info.id}? Its files stay where they are.` : `Remove ${info.id} (${formatBytes(info.sizeBytes)})?`;
}

/** @throws SpellError usage-value; of LocalLlm.verify */
export async function modelVerify({ operands, flags, screen, interrupt, openSpell }: Context): Promise<number> {
  if (flags.has("all") && operands.length > 0) {
    const message = `--all means every model; got also ${operands.join(" ")}`;
    throw new SpellError("usage-value", message, { where: "--all", hint: "Keep one of them." });
  }
  const { models } = await openSpell();
  const progress = screen.progress("hashing");
  const results: VerifyResult[] = [];
  try {
    const options = { signal: interrupt.signal, onFile: (file: string) => progress.say(`hashing ${file}`) };
    if (operands.length === 0) results.push(...(await models.verify(undefined, options)));
    for (const spec of operands) results.push(...(await models.verify(spec, options)));
  } finally {
    progress.end();
  }
  const bad = results.find(({ ok }) => ok === false);
  const isGood = bad === undefined;
  screen.document({ status: isGood ? "ok" : "error", results: toSnake(results) });
  for (const result of results) {
    const { modelId, file, ok } = result;
    const mark = ok === null ? "?   " : ok ? screen.out.good("ok  ") : screen.out.bad("bad ");
    screen.writeOwn(`${mark} ${screen.clean(modelId)}  ${screen.clean(file)}${findingOf(result)}\n`);
  }
  if (bad !== undefined) await tellRemedy(bad, models, screen);
  return isGood ? 0 : 3;
}

function findingOf({ ok, expected, actual }: VerifyResult): string {
  if (ok === true) return "";
  if (ok === null) return `  not verified: no hash to compare with; its sha256 is ${actual ?? ""}`;
  return actual === null ? "  missing" : `  expected ${expected ?? ""}, got ${actual}`;
}

/** What brings a file back depends on whose it is. */
async function tellRemedy({ modelId, actual }: VerifyResult, models: Models, screen: Screen): Promise<void> {
  const record = (await models.listAll()).models.find(({ id }) => id === modelId);
  const isGone = actual === null;
  const what = isGone ? "is gone" : "has changed";
  if (record?.bundled === true) screen.note(`a file of the package ${what}; install llmspell again`);
  else if (record?.source === "file" && record.path !== null)
    screen.note(
      `your own file ${what}; ${isGone ? "put it back; or, where it lies elsewhere now, give that place the name" : "to keep it as it is now"}:`,
      [{ kind: "pull", model: record.path, as: modelId }],
    );
  else
    screen.note(`a stored file ${what}; to download it again:`, [
      { kind: "pull", model: modelId, force: true, allowHosts: hostsToAllow(modelId) },
    ]);
}

/** @throws SpellError usage-confirm */
export async function modelPrune(context: Context): Promise<number> {
  const { flags, screen, openSpell } = context;
  const { models } = await openSpell();
  const olderThanMs = (flagNumber(flags, "older-than") ?? 0) * 86_400_000;
  const isDry = flags.has("dry-run");
  const found = await models.prune({ olderThanMs, dryRun: true });
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  if (found.length > 0 && !isDry && !flags.has("yes")) {
    const question = `Delete ${plural(found.length, "file")} (${formatBytes(total)})?`;
    await confirm(context, question, "nothing was deleted");
  }
  const removed = isDry ? found : await models.prune({ olderThanMs });
  const freed = isDry ? 0 : removed.reduce((sum, { bytes }) => sum + bytes, 0);
  screen.document({ status: "ok", freed_bytes: freed, removed });
  for (const { item, bytes } of removed) screen.writeOwn(`${formatBytes(bytes).padStart(9)}  ${screen.clean(item)}\n`);
  if (removed.length === 0) screen.note("nothing to delete");
  return 0;
}
