/** `llmspell model list`, `available`, `status`. */

import type { ModelRecord } from "../../core/api/models/records.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { SpellError } from "../../core/errors.ts";
import type { DevicePreview } from "../../core/spec/runtime.ts";
import { definedOnly } from "../../core/values.ts";
import { flagText } from "./args.ts";
import { modelPages } from "./commands.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import type { Screen } from "./render.ts";
import { deviceFields } from "./session.ts";

/** @throws SpellError of a backend that was asked for by name, or of the first where none answered */
export async function modelList({ flags, screen, openSpell, config }: Context): Promise<number> {
  const backend = flagText(flags, "backend");
  const localLLM = await (await openSpell()).localLLM();
  const { models, backends } = await localLLM.listAll(backend);
  const failed = backends.find(({ error }) => error !== undefined);
  const isNamed = backend !== undefined && backend !== "all";
  if (failed?.error !== undefined && (isNamed || backends.every(({ ok }) => !ok))) throw failed.error;
  screen.document({
    status: "ok",
    count: models.length,
    models,
    backends: backends.map(({ backend: name, ok, error }) => ({
      backend: name,
      ok,
      error: error?.message,
    })),
  });
  const verbose = flags.has("verbose");
  const head = [
    "NAME",
    "BACKEND",
    "ARCH",
    "QUANT",
    "SIZE",
    "MODIFIED",
    ...(verbose ? ["SOURCE", "REVISION", "VERIFIED", "LICENSE", "PATH"] : []),
  ];
  const rows = models.map((model) => [
    `${[model.id, ...model.aliases].join(", ")}${isForeign(model) ? ` (${model.source})` : ""}`,
    model.backend,
    model.architecture ?? "–",
    model.quantization ?? "–",
    formatBytes(model.size_bytes),
    dateOf(model.modified_at),
    ...(verbose
      ? [model.source ?? "–", model.revision?.slice(0, 12) ?? "–", verifiedOf(model), model.license ?? "–", model.path ?? "–"]
      : []),
  ]);
  screen.writeOwn(table(screen, head, rows));
  if (models.every(({ bundled }) => bundled) && !isNamed)
    screen.note("nothing else is installed; to get a model:", ["llmspell model pull qwen2.5-0.5b"]);
  const resolved = await config();
  for (const { backend: name, error } of backends) {
    if (error === undefined) continue;
    const message = `${name} is left out: ${error.message}`;
    const provider = name === "ollama" ? localLLM.settings.ollamaProvider : localLLM.settings.candleProvider;
    if (isDeclared(resolved, provider)) screen.note(message, [...error.actions, ...error.commands]);
    else screen.log({ level: "info", message });
  }
  return 0;
}

/** A provider that is there because nothing was configured was not asked for: that it does not answer is no news. */
function isDeclared({ origins }: ResolvedConfig, provider: string): boolean {
  return [...origins].some(([path, origin]) => path.startsWith(`providers.${provider}.`) && origin !== "default");
}

/** Files of another tool, used where they lie. */
function isForeign({ source }: ModelRecord): boolean {
  return source === "hf-cache" || source === "ollama-store";
}

function verifiedOf({ verified }: ModelRecord): string {
  return verified === "sha256" ? "sha256" : "not verified";
}

function dateOf(seconds: number | null): string {
  return seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10);
}

export async function modelAvailable({ flags, screen, openSpell }: Context): Promise<number> {
  const localLLM = await (await openSpell()).localLLM();
  const [backend, search] = [flagText(flags, "backend"), flagText(flags, "search")];
  const models = await localLLM.available({
    backend,
    search,
    recommended: flags.has("recommended") ? true : undefined,
  });
  screen.document({ status: "ok", count: models.length, models });
  const rows = models.map((model) => [
    `${model.recommended ? "*" : " "}${model.installed ? "+" : " "} ${model.name}`,
    model.backend,
    model.kind,
    model.parameter_count === null ? "–" : formatParameters(model.parameter_count),
    model.size_bytes === null ? "–" : formatBytes(model.size_bytes),
    model.license ?? "–",
    model.description,
  ]);
  screen.writeOwn(table(screen, ["   NAME", "BACKEND", "KIND", "PARAMS", "SIZE", "LICENSE", "DESCRIPTION"], rows, { isProse: true }));
  screen.writeOwn(`\n* recommended   + installed\n${modelPages.map((page) => `${page}\n`).join("")}`);
  return 0;
}

export async function modelStatus({ flags, screen, openSpell }: Context): Promise<number> {
  const spell = await openSpell();
  const { platform } = spell;
  const localLLM = await spell.localLLM();
  const asked = flagText(flags, "backend");
  const backend = asked === "local" ? "candle" : asked === "all" ? undefined : asked;
  const both = await localLLM.status();
  const shown: Partial<typeof both> = definedOnly({
    candle: backend === "ollama" ? undefined : both.candle,
    ollama: backend === "candle" ? undefined : both.ollama,
  });
  const failures = [
    ...(shown.candle === undefined || shown.candle.ready ? [] : ["candle"]),
    ...(shown.ollama === undefined || shown.ollama.running ? [] : ["ollama"]),
  ];
  if (failures.length === Object.keys(shown).length) {
    if (shown.ollama !== undefined && !shown.ollama.running) await localLLM.ollama.version();
    throw new SpellError("store-denied", shown.candle?.error ?? "no backend answers", { where: platform.store.place });
  }
  const { candle, ollama } = shown;
  const device = candle?.device;
  screen.document({
    status: "ok",
    backends: {
      ...shown,
      ...(candle === undefined || device === null || device === undefined ? {} : { candle: { ...candle, device: deviceFields(device) } }),
    },
  });
  const block = (name: string, fields: object): string =>
    `${screen.out.heading(name)}\n${Object.entries(fields)
      .map(([key, value]) => `  ${key}: ${screen.clean(String(value))}\n`)
      .join("")}`;
  screen.writeOwn(
    [
      ...(candle === undefined ? [] : [block("candle", { ...candle, device: deviceWord(candle.device) })]),
      ...(ollama === undefined ? [] : [block("ollama", ollama)]),
    ].join("\n"),
  );
  return 0;
}

function deviceWord(device: DevicePreview | null): string {
  if (device?.chosen === undefined) return "none";
  return `${device.chosen}${device.runtime === undefined ? "" : ` through ${device.runtime}`}`;
}

/**
 * Columns as wide as they need; the last one takes what is left.
 * @param isProse the last column is text that a terminal may cut at its edge: lines that wrap are no table
 */
export function table(
  screen: Screen,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { isProse = false }: { readonly isProse?: boolean | undefined } = {},
): string {
  const room = isProse && screen.outIsTerminal ? screen.columns : Number.POSITIVE_INFINITY;
  const shorten = (text: string): string => (text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`);
  const cells = rows.map((row) => row.map((cell) => screen.clean(cell).replace(/[\r\n\t]+/g, " ")));
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("  ");
  return [screen.out.dim(shorten(line(head))), ...cells.map((row) => shorten(line(row)))].map((text) => `${text.trimEnd()}\n`).join("");
}
