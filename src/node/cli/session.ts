/** What `generate` and `chat` share: flags to options, a model with its progress line, parts of a stream to fields and notes. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Spell, SpellLoadOptions } from "../../core/api/spell.ts";
import type { LoadOptions } from "../../core/backends/backend.ts";
import { candleSettings } from "../../core/backends/candle/settings.ts";
import type { PullOffer } from "../../core/backends/models.ts";
import { isFileName } from "../../core/backends/unknown-model.ts";
import { providerOfType } from "../../core/config/providers.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { EmbeddingModel } from "../../core/spec/embedding-model.ts";
import type { GenerateOptions, Preset, Usage } from "../../core/spec/generate.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import type { RerankModel } from "../../core/spec/rerank-model.ts";
import type { DeviceChoice, DevicePreview, DeviceReport, RowForms } from "../../core/spec/runtime.ts";
import type { StreamPart } from "../../core/spec/stream-part.ts";
import { parameterRules } from "../../core/text/parameters.ts";
import { flagWord, isOfDevice, modelCommand, shell } from "./advice.ts";
import { flagNumber, flagText, type GivenFlags } from "./args.ts";
import { canAsk } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatMs, formatRate, plural } from "./format.ts";

export type StreamEnd = Extract<StreamPart, { type: "stream-end" }>;

/** A loaded model is waited for this long when a run ends; whatever is left of it dies with the process. */
const disposeMs = 300;

/** What flags say; the configuration says the rest. @throws SpellError usage-value */
export function readLoadOptions(flags: GivenFlags): LoadOptions {
  if (flags.has("offline") && flags.has("pull")) {
    const message = "--offline and --pull exclude each other: one forbids what the other asks for";
    throw new SpellError("usage-value", message, { hint: "Leave one of them out.", where: "--pull" });
  }
  return {
    device: flagText(flags, "device") as DeviceChoice | undefined,
    contextSize: flagNumber(flags, "context-size"),
    threads: flagNumber(flags, "threads"),
    quantization: flagText(flags, "quantization"),
    draft: flagText(flags, "draft") as LoadOptions["draft"],
  };
}

/** @throws SpellError usage-value */
export function readGenerateOptions(flags: GivenFlags): GenerateOptions {
  const numbers: Partial<Record<(typeof parameterRules)[number]["name"], number>> = {};
  for (const { name, snakeName } of parameterRules) {
    const value = flagNumber(flags, snakeName.replaceAll("_", "-"));
    if (value !== undefined) numbers[name] = value;
  }
  const stop = flags.get("stop");
  if (stop !== undefined && stop.length > 16)
    throw new SpellError("usage-value", `--stop: expected at most 16 texts; got ${stop.length}`, { where: "--stop" });
  const preset = flagText(flags, "preset") as Preset | undefined;
  const system = flagText(flags, "system");
  const raw = flags.has("raw") || undefined;
  if (raw === true && system !== undefined) {
    const message = "--raw and --system exclude each other: a raw prompt has no system prompt";
    throw new SpellError("usage-value", message, { hint: "Leave one of them out.", where: "--system" });
  }
  const reasoning = flagText(flags, "reasoning") as GenerateOptions["reasoning"];
  return { ...numbers, stop, preset, system, raw, reasoning };
}

/**
 * Loads a model under a progress line. Starts at once, before the first await, so that callers can do other things meanwhile.
 * @param name as typed; undefined: the default model
 * @throws SpellError of Spell.load, with what a person can do about it
 */
export function loadModel(context: Context, name: string | undefined, options: LoadOptions): Promise<LanguageModel> {
  return loadWith(context, name, options, (spell, all) => spell.load(name, all));
}

/** As loadModel, of a model that makes vectors. */
export function loadEmbeddings(context: Context, name: string, options: LoadOptions): Promise<EmbeddingModel> {
  return loadWith(context, name, options, (spell, all) => spell.embeddings(name, all));
}

/** As loadModel, of a model that scores pairs of texts. */
export function loadReranker(context: Context, name: string, options: LoadOptions): Promise<RerankModel> {
  return loadWith(context, name, options, (spell, all) => spell.reranker(name, all));
}

type Loaded = Pick<LanguageModel, "id" | "sizeBytes" | "device" | "contextLength">;

async function loadWith<M extends Loaded>(
  context: Context,
  name: string | undefined,
  options: LoadOptions,
  load: (spell: Spell, options: SpellLoadOptions) => Promise<M>,
): Promise<M> {
  const { screen, flags, interrupt } = context;
  const { signal } = interrupt;
  const progress = screen.progress(`loading ${shortName(name)}`);
  try {
    const spell = await context.openSpell(await deviceOf(context, options));
    const mayPull = !flags.has("offline") && (flags.has("pull") || canAsk(context));
    const pull = async (offer: PullOffer): Promise<boolean> => {
      progress.end();
      return (await import("./model-pull.ts")).offerPull(context, spell, offer);
    };
    const model = await load(spell, {
      ...options,
      signal,
      // read whole: what is left is the engine's (numbers of threads are measured once), and says nothing of its end
      onProgress: (share) => (share < 1 ? progress.share(share) : progress.say(`preparing ${shortName(name)}`)),
      pull: mayPull ? pull : false,
    });
    progress.end();
    await noteRun(model);
    await noteMissingRuntime(model.device, context);
    return model;
  } catch (error) {
    if (signal.aborted) throw new SpellError("run-aborted", "stopped before the model was loaded", { cause: error });
    throw explain(error, name ?? "", "run", context);
  } finally {
    progress.end();
  }
}

/** The device a load is going to ask for. */
export async function deviceOf({ config: read }: Context, { device }: LoadOptions): Promise<DeviceChoice> {
  const { config } = await read();
  return device ?? candleSettings(config, providerOfType(config, "candle"))?.load.device ?? "auto";
}

/** Names stay whole; of a path its end says enough. */
function shortName(name = "the default model"): string {
  return /^([./~\\]|[A-Za-z]:[/\\])/.test(name) ? basename(name) : name.replace(/@candle$/, "");
}

/** For `ps` of other processes. */
async function noteRun({ id, sizeBytes, device, contextLength }: Loaded): Promise<void> {
  if (sizeBytes === undefined || device === undefined) return; // the server tells by itself
  const { writeRunRecord } = await import("../run-records.ts");
  writeRunRecord({ model_id: id, size_bytes: sizeBytes, device: device.chosen, context_size: contextLength ?? 0 });
}

/** Frees a model, but does not let it hold up the end of the run. */
export async function disposeSoon(model: Pick<LanguageModel, "dispose">): Promise<void> {
  await Promise.race([model.dispose().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, disposeMs).unref())]);
}

/**
 * Errors in the words of the command line: flags for options, and paths that are nearly right.
 * @param kind what the command does with the model
 */
export function explain(error: unknown, spec: string, kind: "run" | "info" = "run", context?: Context): unknown {
  if (!(error instanceof SpellError)) return error;
  const { code, message, where, actions } = error;
  if ((code === "run-option" || code === "usage-value") && where !== undefined && options.has(where)) {
    const flag = flagWord(where);
    const inWords = message.replace(new RegExp(`^${where}\\b`), flag).replace(/(?<=; it takes ).*$| beside \w+/, inFlags);
    const command = modelCommand(context?.argv ?? []) ?? "generate";
    const own = forms.includes(where) ? { hint: error.hint.replace(/(?<=\bas ).*$/, inFlags) } : {};
    return error.with({ code: "usage-value", message: inWords, where: flag, actions: shell(`llmspell help ${command}`), ...own });
  }
  if (code === "run-form" && where !== undefined)
    return error.with({ message: message.replace(`the form of ${where}`, `the form of ${flagWord(where)}`), where: flagWord(where) });
  if (code === "model-not-installed" && context !== undefined && context.operands.length > 0 && !context.flags.has("offline"))
    return error.with({ actions: [...actions, { kind: "use-option", name: "pull", value: true }] });
  const isPath = /^[./~\\]/.test(spec);
  if (["spec-syntax", "backend-unknown", "model-unknown"].includes(code) && spec !== "" && !isPath && existsSync(spec)) {
    const meant = `./${spec}`;
    return error.with({
      message: `${spec} is a path here`,
      hint: "A path begins with ./",
      actions: [{ kind, model: meant }],
      where: spec,
      details: { typed: spec, meant },
    });
  }
  if (code === "model-unknown" && (isPath || isFileName(spec))) {
    const there = modelsBeside(isPath ? spec : `./${spec}`);
    const found = there.length === 0 ? {} : { hint: "Models there:", actions: there.map((model) => ({ kind, model })) };
    return error.with({ message: isPath ? message : `no file ${spec} in this folder`, ...found, where: where ?? spec });
  }
  if (isOfDevice(error) && kind === "run") return error.with({ actions: [...actions, { kind, model: spec, device: "cpu" }] });
  if (code === "run-context")
    return error.with({
      hint: error.hint.replace("load the model with contextSize", "give --context-size"),
      actions: actions.length > 0 ? actions : [{ kind: "info", model: spec }],
    });
  return error;
}

/** Options that are flags here, by their names in code. */
const forms = ["jsonSchema", "choices", "regex", "grammar"];

const options: ReadonlySet<string> = new Set([
  ...["device", "contextSize", "quantization", "draft", "threads", "stop", "preset", "raw", ...forms],
  ...parameterRules.map(({ name }) => name),
]);

/** A list of forms of an answer. */
function inFlags(text: string): string {
  return text.replace(/[A-Za-z]+/g, (word) => (forms.includes(word) ? flagWord(word) : word));
}

/** Models in the folder of a path that is wrong: the one whose name is nearest, else the first three. */
function modelsBeside(path: string): readonly string[] {
  if (path.startsWith("~")) return [];
  const folder = dirname(path);
  try {
    const names = readdirSync(folder)
      // a link that leads nowhere is none
      .filter((name) => name.toLowerCase().endsWith(".gguf") && existsSync(join(folder, name)))
      .sort();
    const close = nearest(basename(path), names);
    const shown = close === undefined ? names.slice(0, 3) : [close];
    return shown.map((name) => join(folder, name)).map((name) => (/^[./~\\]/.test(name) ? name : `./${name}`));
  } catch {
    return [];
  }
}

/** A faster runtime that could be here is named once in a home, with the line that installs it; later by --stats and doctor. */
async function noteMissingRuntime(device: DeviceReport | undefined, { screen, flags }: Context): Promise<void> {
  const missing = missingRuntime(device);
  if (missing === undefined || screen.json || screen.settings.quiet || flags.has("stats")) return;
  // npx runs us from a folder of its own: what is installed elsewhere is not found
  if (/[\\/]_npx[\\/]/.test(import.meta.url)) return;
  const { isFirstTime } = await import("../home.ts");
  if (!isFirstTime(`${missing.runtime} is missing`)) return;
  const { lookAtGraphics, mayHaveCard } = await import("../engines/graphics.ts");
  const gain = mayHaveCard(lookAtGraphics()) ? "models run faster, and on the GPU" : "models run faster";
  screen.note(`${missing.runtime} is not installed; with it ${gain}:`, shell(missing.install));
}

/** @returns the runtime that `auto` would have taken for the processor, were it installed */
function missingRuntime(device: DeviceReport | undefined): { readonly runtime: string; readonly install: string } | undefined {
  const missing = device?.tried.find(({ device: name, ok, reason }) => name === "cpu" && !ok && reason === "package-missing");
  if (missing?.runtime === undefined || missing.hint === undefined) return undefined;
  return { runtime: missing.runtime, install: missing.hint };
}

/** @returns "cpu through node-llama-cpp, threads: prompt 2, answer 1 (measured)" */
export function describeDevice(device: DeviceReport | undefined): string {
  if (device === undefined) return "the server's";
  const { chosen, runtime, threads } = device;
  const through = runtime === undefined ? "" : ` through ${runtime}`;
  const counted = threads === undefined ? "" : `, threads: prompt ${threads.prompt}, answer ${threads.decode} (${threads.origin})`;
  return chosen + through + counted;
}

/** @returns "4-bit blocks; inputs, and 4 and more answers at once, in 8-bit columns" */
export function describeForms({ input, answer, many }: RowForms): string {
  if (input === answer) return answer;
  return `${answer}; inputs${many === undefined ? "" : `, and ${many.from} and more answers at once,`} in ${input}`;
}

/** A device report with the names users see. */
export function deviceFields(report: DeviceReport | DevicePreview | undefined): Record<string, unknown> | null {
  if (report === undefined) return null;
  const { chosen = null, runtime = null, threads = null, forms } = { threads: undefined, forms: undefined, ...report };
  const tried = report.tried.map(({ device, ok, reason, hint = null, runtime: by = null, selfTestMs }) => ({
    device,
    ok,
    reason,
    hint,
    runtime: by,
    self_test_ms: selfTestMs,
  }));
  return { chosen, tried, runtime, threads, ...(forms === undefined ? {} : { forms }) };
}

export function usageFields(usage: Usage): Record<string, number | undefined> {
  const { promptTokens, completionTokens, totalTokens, cachedTokens } = usage;
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: totalTokens, cached_tokens: cachedTokens };
}

/** Said once in a run: the answer is a continuation of the text. */
export function missingTemplateNote(model: LanguageModel): string {
  return `${model.id} has no chat template; the text is continued as it is`;
}

/** Tokens ran out; an answer that is cut where it broke its form has another reason, told by a warning. */
export function isSpent({ finishReason }: StreamEnd, warnings: readonly { readonly code: string }[]): boolean {
  return finishReason === "length" && warnings.every(({ code }) => code !== "output-invalid");
}

/** Names the parameter that would have let an answer go on. */
export function lengthNote({ usage }: StreamEnd, model: LanguageModel, parameter: (name: string) => string): string {
  const isFull = !model.isSeq2Seq && model.contextLength !== undefined && usage.totalTokens >= model.contextLength;
  const cut = `the answer was cut after ${plural(usage.completionTokens, "token")}`;
  if (!isFull) return `${cut}; ${parameter("max_tokens")} N allows more`;
  return `${cut}: the context of ${plural(model.contextLength, "token")} is full; ${parameter("context_size")} N allows more, if the model holds more`;
}

/** Lines of --stats. */
export function statisticsText(end: StreamEnd, device: DeviceReport | undefined): string {
  const { timing, usage, seed } = end;
  const { cachedTokens = 0 } = usage;
  const computed = usage.promptTokens - cachedTokens;
  const missing = missingRuntime(device);
  const reused = cachedTokens === 0 ? "" : `, ${cachedTokens.toLocaleString("en-US")} cached`;
  const rows: readonly (readonly [string, string])[] = [
    ...(timing.loadMs > 0 ? [["load", formatMs(timing.loadMs)] as const] : []),
    ["prompt", `${plural(computed, "token")} in ${formatMs(timing.prefillMs)}, ${formatRate(timing.prefillRate)}${reused}`],
    ["first text", `after ${formatMs(timing.firstTokenMs)}`],
    ["answer", `${plural(usage.completionTokens, "token")} in ${formatMs(timing.decodeMs)}, ${formatRate(timing.decodeRate)}`],
    ["device", describeDevice(device)],
    ...(device?.forms === undefined ? [] : [["weights", describeForms(device.forms)] as const]),
    ...(missing === undefined ? [] : [["faster with", `${missing.runtime}: ${missing.install}`] as const]),
    ["seed", String(seed)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join("");
}
