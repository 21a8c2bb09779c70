/** What `generate` and `chat` share: flags to options, a model with its progress line, parts of a stream to fields and notes. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bundledModels, draftsOfT5, type LoadOptions, variantsOfT5 } from "../../core/backends/candle.ts";
import { type CandleSettings, candleSettings } from "../../core/backends/candle-settings.ts";
import { chooseModel } from "../../core/backends/model-choice.ts";
import { providerOfType } from "../../core/config/providers.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { shellQuote } from "../../core/shell-quote.ts";
import type { GenerateOptions, Preset, Usage } from "../../core/spec/generate.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import { parseModelSpec, printModelSpec } from "../../core/spec/model-spec.ts";
import type { DeviceChoice, DevicePreview, DeviceReport } from "../../core/spec/runtime.ts";
import type { StreamPart } from "../../core/spec/stream-part.ts";
import { parameterRules } from "../../core/text/parameters.ts";
import { ownCommand } from "./advice.ts";
import { flagNumber, flagText, type GivenFlags } from "./args.ts";
import type { Context } from "./context.ts";
import { formatMs, formatRate, plural } from "./format.ts";
import type { Screen } from "./render.ts";

export type StreamEnd = Extract<StreamPart, { type: "stream-end" }>;

/** A loaded model is waited for this long when a run ends; whatever is left of it dies with the process. */
const disposeMs = 300;

/** What flags say; the configuration says the rest. */
export function readLoadOptions(flags: GivenFlags): Pick<LoadOptions, "device" | "contextSize" | "threads" | "draft"> {
  const device = flagText(flags, "device") as DeviceChoice | undefined;
  const contextSize = flagNumber(flags, "context-size");
  const threads = flagNumber(flags, "threads");
  const draft = draftsOfT5.find((form) => form === flagText(flags, "draft"));
  return {
    device,
    contextSize,
    threads,
    draft,
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
    throw new SpellError("usage-value", `--stop: wanted at most 16; got ${stop.length}`, { where: "--stop" });
  const preset = flagText(flags, "preset") as Preset | undefined;
  const system = flagText(flags, "system");
  const raw = flags.has("raw");
  if (raw && system !== undefined) {
    throw new SpellError("usage-value", "--raw and --system exclude each other: raw text goes to the model as it is", {
      hint: "Leave one of them out.",
      where: "--system",
    });
  }
  return {
    ...numbers,
    ...(stop === undefined ? {} : { stop }),
    ...(preset === undefined ? {} : { preset }),
    ...(system === undefined ? {} : { system }),
    ...(raw ? { raw } : {}),
  };
}

/** A model to load: what Spell.load takes, and the settings of the provider it belongs to, where that runs it in this process. */
export interface ModelToLoad {
  /** absent where the name of the model decides */
  readonly provider?: string | undefined;
  readonly spec: string;
  /** the variant that belongs to it: a part of the name, or made at load from the weights of a T5 folder */
  readonly options: Pick<LoadOptions, "quantization">;
  readonly settings: CandleSettings | undefined;
}

/**
 * @param model as typed; undefined: the default one
 * @throws SpellError of the configuration; backend-*, usage-no-model, spec-syntax, usage-value
 */
export async function readModelChoice(context: Context, model: string | undefined): Promise<ModelToLoad> {
  const { flags, config: readConfig } = context;
  const { config, source } = await readConfig();
  const { provider, spec } = chooseModel(config, model, source.startsWith("file:") ? source.slice("file:".length) : undefined);
  const chosen = withQuantization(flags, spec);
  return {
    ...chosen,
    ...(provider === undefined ? {} : { provider }),
    spec: withProvider(chosen.spec, provider),
    settings: candleSettings(config, provider ?? providerOfType(config, "candle")),
  };
}

/** The provider goes along where the name alone would not lead to it again: a name in no catalogue, or a provider with settings of its own. */
function withProvider(spec: string, provider: string | undefined): string {
  const { kind } = parseModelSpec(spec);
  const isPlain = kind === "path" || kind === "url" || kind === "hf" || (kind === "name" && bundledModels.has(spec.toLowerCase()));
  if (provider === undefined || (provider === "candle" && isPlain)) return spec;
  return provider === "candle" || provider === "ollama" ? `${spec}@${provider}` : `${provider}/${spec}`;
}

/** @throws SpellError spec-syntax, usage-value */
function withQuantization(flags: GivenFlags, text: string): Pick<ModelToLoad, "spec" | "options"> {
  const quantization = flagText(flags, "quantization");
  if (quantization === undefined) return { spec: text, options: {} };
  const spec = parseModelSpec(text);
  if (spec.kind === "path") {
    const variant = variantsOfT5.find((name) => name === quantization.toLowerCase());
    if (variant !== undefined && !/\.gguf$/i.test(spec.path)) return { spec: text, options: { quantization: variant } };
    throw new SpellError(
      "usage-value",
      `--quantization: wanted a variant of a named model, or ${variantsOfT5.join(", ")} for a T5 folder; got ${quantization} for ${text}`,
      { where: "--quantization", hint: "For a GGUF model give the path of the file that has it." },
    );
  }
  if (spec.kind === "url") {
    throw new SpellError("usage-value", `--quantization: an address names one file; got ${text}`, { where: "--quantization" });
  }
  const own = spec.kind === "ollama" ? spec.tag : spec.variant;
  if (own !== undefined && own.toUpperCase() !== quantization.toUpperCase()) {
    throw new SpellError("usage-value", `--quantization ${quantization} contradicts ${text}`, {
      where: "--quantization",
      hint: "Keep one of them.",
    });
  }
  const named = spec.kind === "ollama" ? { ...spec, tag: quantization } : { ...spec, variant: quantization };
  return { spec: printModelSpec(named), options: {} };
}

/**
 * Loads a model under a progress line. Starts at once, before the first await, so that callers can do other things meanwhile.
 * @throws SpellError of Spell.load, with what a person can do about it
 */
export async function loadModel(context: Context, spec: string, options: LoadOptions): Promise<LanguageModel> {
  const { screen } = context;
  const progress = screen.progress(`loading ${isPath(spec) ? basename(spec) : spec.replace(/@candle$/, "")}`);
  try {
    const { config } = await context.config();
    const spell = await context.openSpell(
      options.device ?? candleSettings(config, providerOfType(config, "candle"))?.load.device ?? "auto",
    );
    const load = (): Promise<LanguageModel> =>
      spell.load(spec, { ...options, signal: context.interrupt.signal, onProgress: (share) => progress.share(share) });
    const model = await load().catch(async (error: unknown) => {
      if (!(error instanceof SpellError) || error.code !== "model-not-installed") throw error;
      progress.end();
      const { offerPull } = await import("./model-pull.ts");
      if (!(await offerPull(context, spell, spec, options, error))) throw withPullCommand(error, context);
      return load();
    });
    progress.end();
    await noteRun(model);
    noteMissingRuntime(model.device, screen);
    return model;
  } catch (error) {
    if (context.interrupt.signal.aborted) throw new SpellError("run-aborted", "stopped before the model was loaded", { cause: error });
    throw explain(error, spec);
  } finally {
    progress.end();
  }
}

/** Names stay whole; of a path its end says enough. */
function isPath(spec: string): boolean {
  return /^([./~\\]|[A-Za-z]:[/\\])/.test(spec);
}

/** For `ps` of other processes. */
async function noteRun({ id, sizeBytes, device, contextLength }: LanguageModel): Promise<void> {
  if (sizeBytes === undefined) return; // the server tells by itself
  const { writeRunRecord } = await import("../run-records.ts");
  writeRunRecord({ model_id: id, size_bytes: sizeBytes, device: device.chosen, context_size: contextLength });
}

/** The same command once more, with the flag that downloads. */
function withPullCommand(error: SpellError, { operands, flags, argv }: Context): SpellError {
  const own = operands.length === 0 || flags.has("offline") ? undefined : ownCommand(argv, "--pull");
  const again = own === undefined ? [] : [own];
  return new SpellError(error.code, error.message, {
    hint: error.hint,
    commands: [...error.commands, ...again],
    where: error.where,
    details: error.details,
    cause: error,
  });
}

/** Frees a model, but does not let it hold up the end of the run. */
export async function disposeSoon(model: LanguageModel): Promise<void> {
  await Promise.race([model.dispose().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, disposeMs).unref())]);
}

/** The library speaks of its own options; a person typed a flag. And a path that does not exist is usually nearly right. */
export function explain(error: unknown, spec: string, command = "llmspell generate -m"): unknown {
  if (!(error instanceof SpellError)) return error;
  const { code, message, where, details } = error;
  const withSpec = (path: string): string => `${command} ${shellQuote(path)}${command.endsWith("-m") ? ' "Hello"' : ""}`;
  const more = { details, cause: error };
  if (code === "run-option" && where !== undefined) {
    const flag = flagOfOption.get(where);
    if (flag !== undefined)
      return new SpellError("usage-value", message.replace(`${where}:`, `${flag}:`), {
        where: flag,
        commands: ["llmspell help generate"],
        ...more,
      });
  }
  if ((code === "spec-syntax" || code === "model-unknown") && !/^[./~\\]/.test(spec) && existsSync(spec)) {
    return new SpellError(code, message, { hint: "A path begins with ./", commands: [withSpec(`./${spec}`)], ...more, where: spec });
  }
  if (code === "model-unknown" && /^[./~\\]/.test(spec)) {
    const there = modelsBeside(spec);
    if (there.length > 0) {
      return new SpellError(code, message, { hint: "There is:", commands: there.map(withSpec), ...more, where: where ?? spec });
    }
  }
  if (code.startsWith("device-")) {
    const commands = command.endsWith("-m") ? [...error.commands, `${command} ${shellQuote(spec)} --device cpu "Hello"`] : error.commands;
    return new SpellError(code, message, { hint: error.hint, commands, ...more, ...(where === undefined ? {} : { where }) });
  }
  if (code === "run-context") {
    const [raise, look] = [
      "Shorten the prompt, or raise --context-size up to the limit of the model:",
      `llmspell model info ${shellQuote(spec)}`,
    ];
    return new SpellError(code, message, { hint: raise, commands: [look], ...more, ...(where === undefined ? {} : { where }) });
  }
  return error;
}

const flagOfOption: ReadonlyMap<string, string> = new Map([
  ["contextSize", "--context-size"],
  ["quantization", "--quantization"],
  ["draft", "--draft"],
  ["threads", "--threads"],
  ["stop", "--stop"],
  ["preset", "--preset"],
  ["raw", "--raw"],
  ...parameterRules.map(({ name, snakeName }) => [name, `--${snakeName.replaceAll("_", "-")}`] as const),
]);

/** Models in the folder of a path that is wrong: the one whose name is nearest, else the first three. */
function modelsBeside(path: string): readonly string[] {
  if (path.startsWith("~")) return [];
  const folder = dirname(path);
  try {
    const names = readdirSync(folder)
      .filter((name) => name.toLowerCase().endsWith(".gguf"))
      .sort();
    const close = nearest(basename(path), names);
    const shown = close === undefined ? names.slice(0, 3) : [close];
    return shown
      .map((name) => (folder === "." ? `./${name}` : join(folder, name)))
      .map((name) => (/^[./~\\]/.test(name) ? name : `./${name}`));
  } catch {
    return [];
  }
}

/** A faster runtime that could be here is named once in a run, with the line that installs it. */
function noteMissingRuntime(device: DeviceReport, screen: Screen): void {
  if (screen.json) return;
  const missing = device.tried.find(({ device: name, ok, reason }) => name === "cpu" && !ok && reason === "package-missing");
  if (missing?.runtime === undefined) return;
  screen.note(
    `${missing.runtime} is not installed; with it models run faster, and on the GPU:`,
    missing.hint === undefined ? [] : [missing.hint],
  );
}

/** @returns "cpu through node-llama-cpp, threads: prompt 2, answer 1 (measured)" */
export function describeDevice({ chosen, runtime, threads }: DeviceReport): string {
  const through = runtime === undefined ? "" : ` through ${runtime}`;
  const counted = threads === undefined ? "" : `, threads: prompt ${threads.prompt}, answer ${threads.decode} (${threads.origin})`;
  return chosen + through + counted;
}

/** A device report with the names users see. */
export function deviceFields(report: DeviceReport | DevicePreview): Record<string, unknown> {
  const { chosen, tried, runtime } = report;
  const threads = "threads" in report ? report.threads : undefined;
  return {
    chosen: chosen ?? null,
    tried: tried.map((attempt) => ({
      device: attempt.device,
      ok: attempt.ok,
      reason: attempt.reason,
      hint: attempt.hint ?? null,
      runtime: attempt.runtime ?? null,
      self_test_ms: attempt.selfTestMs,
    })),
    runtime: runtime ?? null,
    threads: threads ?? null,
  };
}

export function usageFields({ promptTokens, completionTokens, totalTokens }: Usage): Record<string, number> {
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: totalTokens };
}

/** Said once in a run: somebody who expects an answer gets a continuation. */
export function missingTemplateNote(model: LanguageModel): string {
  return `${model.id} has no chat template; the text is continued as it is`;
}

/** Names the parameter that would have let an answer go on. @param maxTokens what was asked for, or its default */
export function lengthNote({ usage }: StreamEnd, model: LanguageModel, maxTokens: number, parameter: (name: string) => string): string {
  return usage.completionTokens >= maxTokens
    ? `the answer was cut after ${plural(usage.completionTokens, "token")}; ${parameter("max_tokens")} N allows more`
    : `the answer was cut after ${plural(usage.completionTokens, "token")}, because the context of ${plural(model.contextLength, "token")} is full; ${parameter("max_tokens")} cannot help, ${parameter("context_size")} N may`;
}

/** Lines of --stats. */
export function statisticsText(end: StreamEnd, device: DeviceReport): string {
  const { timing, usage, seed } = end;
  const computed = usage.promptTokens - usage.cachedPromptTokens;
  const reused = usage.cachedPromptTokens === 0 ? "" : `, ${usage.cachedPromptTokens.toLocaleString("en-US")} taken over`;
  const rows: readonly (readonly [string, string])[] = [
    ...(timing.loadMs > 0 ? [["load", formatMs(timing.loadMs)] as const] : []),
    ["prompt", `${plural(computed, "token")} in ${formatMs(timing.prefillMs)}, ${formatRate(timing.prefillRate)}${reused}`],
    ["first text", `after ${formatMs(timing.firstTokenMs)}`],
    ["answer", `${plural(usage.completionTokens, "token")} in ${formatMs(timing.decodeMs)}, ${formatRate(timing.decodeRate)}`],
    ["device", describeDevice(device)],
    ["seed", String(seed)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join("");
}
