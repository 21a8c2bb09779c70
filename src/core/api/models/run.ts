/** Runs models that are here: loads, answers, and forgets. */
import { type LoadOptions, loadModel, loadOptionNames } from "../../backends/candle.ts";
import type { LoadDefaults } from "../../backends/candle-settings.ts";
import { SpellError } from "../../errors.ts";
import type { Prompt } from "../../spec/generate.ts";
import type { LanguageModel } from "../../spec/language-model.ts";
import { printModelSpec } from "../../spec/model-spec.ts";
import { checkOptionNames } from "../../text/check-call.ts";
import { generateOptionNames } from "../../text/parameters.ts";
import { type LoadedModel, type ModelContext, parse } from "./context.ts";
import { resolve } from "./find.ts";
import { backendOf, didYouMean, ollamaName } from "./names.ts";
import type { GenerateResult, LocalGenerateOptions } from "./records.ts";

export async function load(
  context: ModelContext,
  text: string,
  options: LoadOptions = {},
  defaults: LoadDefaults = context.usual,
): Promise<LanguageModel> {
  checkOptionNames(options, loadOptionNames, "load");
  const spec = parse(text);
  if ((await backendOf(context, spec)) === "ollama") {
    const opening = context.ollama.open(ollamaName(spec), {
      contextSize: options.contextSize,
      threads: options.threads,
      signal: options.signal,
    });
    return opening.catch((error: unknown) => didYouMean(context, error, spec));
  }
  return loadModel(await resolve(context, spec, options.signal), context.platform, defaults, options);
}

export async function generate(
  context: ModelContext,
  text: string,
  prompt: Prompt,
  options: LocalGenerateOptions = {},
): Promise<GenerateResult> {
  checkOptionNames(options, [...generateOptionNames, "on_token"], "generate");
  const { device, on_token, ...rest } = options;
  const spec = parse(text);
  const backend = await backendOf(context, spec);
  const key = `${printModelSpec(spec)} ${device ?? ""}`;
  let shared = context.loaded.get(key);
  if (shared === undefined) {
    shared = share(load(context, text, { device, signal: rest.signal }));
    context.loaded.set(key, shared);
    shared.opening.catch(() => context.loaded.delete(key));
  }
  const model = await shared.opening;
  let answer = "";
  for await (const part of model.stream(prompt, rest)) {
    if (part.type === "text-delta") {
      answer += part.text;
      on_token?.(part.text);
    } else if (part.type === "warning") context.platform.log({ level: "warn", message: part.message });
    else if (part.type === "stream-end") {
      const { usage, timing, seed, finishReason, candidates } = part;
      return {
        text: answer,
        model: model.id,
        backend,
        architecture: model.architecture,
        device: model.device,
        finish_reason: finishReason,
        prompt_tokens: usage.promptTokens,
        completion_tokens: usage.completionTokens,
        seed,
        timings: {
          load_ms: timing.loadMs,
          prompt_ms: timing.prefillMs,
          first_token_ms: timing.firstTokenMs,
          generation_ms: timing.decodeMs,
          tokens_per_second: timing.decodeRate,
        },
        candidates,
      };
    }
  }
  throw new SpellError("run-crash", "the model ended without a result");
}

export async function unload(context: ModelContext, text?: string): Promise<number> {
  const prefix = text === undefined ? "" : `${printModelSpec(parse(text))} `;
  const found = [...context.loaded].filter(([key]) => key.startsWith(prefix));
  for (const [key, { opening }] of found) {
    context.loaded.delete(key);
    await (await opening.catch(() => undefined))?.dispose();
  }
  return found.length;
}

function share(opening: Promise<LanguageModel>): LoadedModel {
  const shared: LoadedModel = { opening };
  opening.then(
    ({ id }) => {
      shared.id = id;
    },
    () => undefined, // whoever waits for it is told
  );
  return shared;
}
