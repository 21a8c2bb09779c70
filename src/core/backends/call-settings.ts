/** What providers of every type say about calls, in the terms of the code. */
import type { HttpProvider } from "../config/config.generated.ts";
import type { GenerateOptions } from "../spec/generate.ts";
import { parameterRules } from "../text/parameters.ts";

/** Keys that are set: temperature, top_p, top_k, min_p, repeat_penalty, repeat_last_n, max_tokens, seed, stop, preset. */
export function samplingOf(provider: Pick<HttpProvider, "stop" | "preset">): GenerateOptions {
  const numbers: Partial<Record<(typeof parameterRules)[number]["name"], number>> = {};
  for (const { name, snakeName } of parameterRules) {
    const value = (provider as unknown as Readonly<Record<string, unknown>>)[snakeName];
    if (typeof value === "number") numbers[name] = value;
  }
  return { ...numbers, stop: provider.stop, preset: provider.preset };
}
