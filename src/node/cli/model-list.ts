/** `llmspell model list`, `available`, `status`. */

import type { BackendStatus, ModelRecord } from "../../core/backends/models.ts";
import { SpellError } from "../../core/errors.ts";
import type { DevicePreview } from "../../core/spec/runtime.ts";
import { toSnake } from "../../core/values.ts";
import { flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { backendLabel, modelPages } from "./names.ts";
import { quoteShort } from "./problems.ts";
import { deviceFields } from "./session.ts";
import { table } from "./table.ts";

/** @throws SpellError of a backend that was asked for by name, or of the first where none answered */
export async function modelList({ flags, screen, openSpell }: Context): Promise<number> {
  const backend = flagText(flags, "backend");
  const { models, backends } = await (await openSpell()).models.listAll(backend);
  const failed = backends.find(({ error }) => error !== undefined);
  const isNamed = backend !== undefined && backend !== "all";
  if (failed?.error !== undefined && (isNamed || backends.every(({ ok }) => !ok))) throw failed.error;
  screen.document({
    status: "ok",
    count: models.length,
    models: toSnake(models),
    backends: backends.map(({ backend: name, ok, error }) => ({ backend: name, ok, error: error?.message })),
  });
  const verbose = flags.has("verbose");
  const more = ["SOURCE", "REVISION", "VERIFIED", "LICENSE", "PATH"];
  const head = ["NAME", "BACKEND", "ARCH", "QUANT", "SIZE", "MODIFIED", ...(verbose ? more : [])];
  const rows = models.map((model) => [
    `${[model.id, ...model.aliases].join(", ")}${markOf(model)}`,
    backendLabel(model.backend),
    model.architecture ?? "–",
    model.quantization ?? "–",
    formatBytes(model.sizeBytes),
    dateOf(model.modifiedAt),
    ...(verbose
      ? [model.source ?? "–", model.revision?.slice(0, 12) ?? "–", verifiedOf(model), model.license ?? "–", model.path ?? "–"]
      : []),
  ]);
  screen.writeOwn(table(screen, head, rows, { drops: verbose ? [] : ["MODIFIED", "ARCH", "BACKEND", "QUANT"] }));
  if (models.every(({ bundled }) => bundled) && !isNamed)
    screen.note("only bundled models are installed; to get another:", [{ kind: "pull", model: "qwen2.5-0.5b" }]);
  for (const { backend: name, error, isDeclared } of backends) {
    if (error === undefined) continue;
    const message = `${name} is left out: ${error.message}`;
    // That a provider of the built-in defaults does not answer is only logged.
    if (isDeclared) screen.note(message, error.actions);
    else screen.log({ level: "info", message });
  }
  return 0;
}

/** Whether its files are gone, and whether they are of another tool, used where they lie. */
function markOf({ source, gone }: ModelRecord): string {
  if (gone === true) return " (gone)";
  return source === "hf-cache" || source === "ollama-store" ? ` (${source})` : "";
}

function verifiedOf({ verified }: ModelRecord): string {
  return verified === "sha256" ? "sha256" : "not verified";
}

function dateOf(seconds: number | null): string {
  return seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** @throws SpellError usage-value for two different texts to look for */
export async function modelAvailable({ operands, flags, screen, openSpell }: Context): Promise<number> {
  const [backend, flag, operand] = [flagText(flags, "backend"), flagText(flags, "search"), operands.join(" ") || undefined];
  if (flag !== undefined && operand !== undefined && flag !== operand)
    throw new SpellError("usage-value", "--search and TEXT mean the same, and differ", { where: "--search", hint: "Keep one of them." });
  const search = operand ?? flag;
  const recommended = flags.has("recommended") || undefined;
  const models = await (await openSpell()).models.available({ backend, search, recommended });
  screen.document({ status: "ok", count: models.length, models: toSnake(models) });
  const rows = models.map((model) => [
    `${model.recommended ? "*" : " "}${model.installed ? "+" : " "} ${model.name}`,
    model.backend,
    model.kind,
    model.parameterCount === null ? "–" : formatParameters(model.parameterCount),
    model.sizeBytes === null ? "–" : formatBytes(model.sizeBytes),
    model.license ?? "–",
    model.description,
  ]);
  const head = ["   NAME", "BACKEND", "KIND", "PARAMS", "SIZE", "LICENSE", "DESCRIPTION"];
  screen.writeOwn(table(screen, head, rows, { isProse: true, drops: ["LICENSE", "PARAMS", "BACKEND", "KIND"] }));
  if (models.length === 0 && search !== undefined)
    screen.note(`nothing in the catalogue has ${quoteShort(search)} in its name, description or source; the whole catalogue:`, [
      { kind: "available" },
    ]);
  screen.writeOwn(`\n* recommended   + installed   candle: the built-in engine\n${modelPages.map((page) => `${page}\n`).join("")}`);
  return 0;
}

/** @throws SpellError where no backend that was asked for answers */
export async function modelStatus({ flags, screen, openSpell }: Context): Promise<number> {
  const { models, platform } = await openSpell();
  const backend = flagText(flags, "backend");
  const status = await models.status(backend);
  const all = Object.entries(status);
  if (all.every(([, { ready, running }]) => ready !== true && running !== true)) {
    // a server says best itself why it does not answer
    const { backends } = await models.listAll(backend);
    const error = backends.find((one) => one.error !== undefined)?.error;
    if (error !== undefined) throw error;
    const [, first] = all[0] ?? [];
    throw new SpellError("store-denied", first?.error ?? "no backend answers", { where: platform.store.place });
  }
  const shown = all.map(([name, { device, ...fields }]) => [
    name,
    { ...toSnake(fields), ...(device === undefined ? {} : { device: deviceFields(device ?? undefined) }) },
  ]);
  screen.document({ status: "ok", backends: Object.fromEntries(shown) });
  const block = ([name, { device, ...fields }]: readonly [string, BackendStatus]): string =>
    `${screen.out.heading(backendLabel(name))}\n${Object.entries({
      ...toSnake(fields),
      device: device === undefined ? undefined : deviceWord(device),
    })
      .flatMap(([key, value]) => (value === undefined ? [] : [`  ${key}: ${screen.clean(String(value))}\n`]))
      .join("")}`;
  screen.writeOwn(all.map(block).join("\n"));
  return 0;
}

function deviceWord(device: DevicePreview | null): string {
  if (device?.chosen === undefined) return "none";
  return `${device.chosen}${device.runtime === undefined ? "" : ` through ${device.runtime}`}`;
}
