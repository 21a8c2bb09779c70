/** What a flag is, and the flags that several commands share. Data only. */
import { deviceChoices } from "../../core/spec/devices.ts";
import { parameterRules, presets, stopLimits } from "../../core/text/parameters.ts";
import { defaultEmbedder, defaultModel } from "./names.ts";
import { emptyProblem, integerProblem, numberProblem, parameterProblem, stopProblem } from "./problems.ts";

export interface Flag {
  /** without the two dashes */
  readonly name: string;
  readonly short?: string | undefined;
  /** Placeholder of the value in help; absent: the flag stands alone. */
  readonly value?: string | undefined;
  /** Allowed values, compared without regard to case. */
  readonly choices?: readonly string[] | undefined;
  readonly repeated?: boolean | undefined;
  /** Listed apart in help, under this heading. */
  readonly section?: "Sampling" | undefined;
  readonly description: string;
  /** @returns what is wrong with a value, or undefined */
  readonly problem?: ((text: string) => string | undefined) | undefined;
  /** Known, but nothing answers it yet; the text says what it waits for. */
  readonly later?: string | undefined;
}

export const outputFormats = ["text", "json", "pretty"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** From silent to everything. */
export const traceLevels = ["off", "error", "warn", "info", "debug", "trace"] as const;
export type TraceLevel = (typeof traceLevels)[number];

export const shells = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof shells)[number];

/** @param label as help shows it: "-q, --quiet" or "--stop TEXT" */
export function flag(label: string, description: string, more: Partial<Flag> = {}): Flag {
  const [, short, name = "", value] = /^(?:-(\w), )?--([\w-]+)(?: ([\w|,]+))?$/.exec(label) ?? [];
  return { name, short, value, description, ...more };
}

export const globalFlags: readonly Flag[] = [
  flag("--output FORMAT", "text, json, or pretty: json on several lines", { choices: outputFormats }),
  flag("--trace LEVEL", "off, error, warn, info, debug or trace, on stderr [runtime.log_level, warn]", { choices: traceLevels }),
  flag("-q, --quiet", "no progress, notes or warnings; errors stay"),
  flag("--no-color", "no colours and no other escape sequences"),
  flag("-p, --profile NAME", "load a built-in profile; llmspell help lists them", { problem: emptyProblem }),
  flag("-c, --config PATH", "load this configuration file", { problem: emptyProblem }),
  flag("-h, --help", "help; for a command with its flags and examples"),
  flag("-V, --version", "print the version"),
];

/** Of `generate` and `chat`. All numeric ones of sampling come from the parameter table; two take text. */
export const modelFlags: readonly Flag[] = [
  flag("-m, --model SPEC", `a name, hf:OWNER/REPO, an address or a path [default_model, ${defaultModel}]`),
  flag("--quantization Q", "variant of a named model, the same as NAME:Q"),
  flag("--system TEXT", "system prompt"),
  flag("--device D", "auto, webgpu, metal, vulkan, cuda, cpu or wasm", { choices: deviceChoices }),
  flag("--context-size N", "context size in tokens, at least 128 [4096]", { problem: integerProblem(128, 2 ** 31 - 1) }),
  flag("--threads N", "CPU threads; 0 = measured here [0]", { problem: integerProblem(0, 1024) }),
  flag("--draft Q", "T5: a q8 or q4 copy writes ahead, the model checks it; same text", { choices: ["q8", "q4"] }),
  flag("--raw", "the prompt as it is, without chat template"),
  flag("--reasoning R", "off: no thinking, where the model can leave it out; auto: as the model does [auto]", { choices: ["auto", "off"] }),
  flag("--no-stream", "print the answer once it is complete"),
  flag("--stats", "times, rates, device and seed on stderr"),
  flag("--pull", "download the model if it is not installed"),
  flag("--offline", "never download"),
  ...parameterRules.map((rule) =>
    flag(
      `--${rule.snakeName.replaceAll("_", "-")} N`,
      rule.decoderDefault === undefined ? rule.description : `${rule.description} [${rule.decoderDefault}]`,
      { section: "Sampling", problem: (text) => parameterProblem(rule, text) },
    ),
  ),
  flag("--stop TEXT", `end before this text; up to ${stopLimits.count} times`, {
    section: "Sampling",
    repeated: true,
    problem: stopProblem,
  }),
  flag("--preset NAME", "greedy, balanced, conservative or creative", { section: "Sampling", choices: Object.keys(presets) }),
];

/** Of `generate` and `chat`; one of them at a time. */
export const formFlags: readonly Flag[] = [
  flag("--schema FILE|JSON", "the answer is JSON that keeps this JSON Schema"),
  flag("--choices A,B|JSON", "the answer is one of these texts"),
  flag("--regex RE", "the answer matches as a whole"),
  flag("--grammar FILE|GBNF", "the answer keeps this grammar in GBNF (GGUF models)"),
];

/** Of `embed` and `similar`. */
export const embedFlags: readonly Flag[] = [
  flag("-m, --model SPEC", `a name, hf:OWNER/REPO, an address or a path [${defaultEmbedder}]`),
  flag("--quantization Q", "q8 for smaller weights, made at load; or the variant of a named model"),
  flag("--dimensions N", "numbers of each vector that are kept, for models trained for it", { problem: integerProblem(1, 2 ** 20) }),
  flag("--truncate", "cut texts that are too long, with a note"),
  flag("--device D", "auto, webgpu, metal, vulkan, cuda, cpu or wasm", { choices: deviceChoices }),
  flag("--context-size N", "tokens of one text, at least 128 [the model's limit, at most 4096]", {
    problem: integerProblem(128, 2 ** 31 - 1),
  }),
  flag("--threads N", "CPU threads; 0 = measured here [0]", { problem: integerProblem(0, 1024) }),
  flag("--pull", "download the model if it is not installed"),
  flag("--offline", "never download"),
];

export const backendFlag: Flag = flag("--backend B", "candle (built-in), ollama, all, or a provider [all]");

export const fileFlag: Flag = flag("--file FILE", "this file [the one in use, else llmspell.toml in the home folder]", {
  problem: emptyProblem,
});

export const scriptFlags: readonly Flag[] = [
  flag("--engine E", "lua or javascript [by the file's ending, else default_engine]", { choices: ["lua", "javascript", "js"] }),
  flag("--device D", "auto, webgpu, metal, vulkan, cuda, cpu or wasm, for models of this script", { choices: deviceChoices }),
];
export const runFlags: readonly Flag[] = [
  ...scriptFlags,
  flag("--stream", "tokens of agents on stderr as they come"),
  flag("--timeout SECS", "longest time of the script; 0 = none [runtime.script_timeout_seconds]", {
    problem: integerProblem(0, 31_536_000),
  }),
];
/** Of all commands `rag …`. */
export const ragFlags: readonly Flag[] = [
  flag("--collection NAME", "an index of its own [default]", { problem: emptyProblem }),
  flag("--tenant ID", "whose documents [rag.tenants.default_tenant_id]", { problem: emptyProblem }),
];
export const ragSearchFlags: readonly Flag[] = [
  ...ragFlags,
  flag("--top-k N", "most passages [rag.search.top_k, 5]", { problem: integerProblem(1, 1000) }),
  flag("--threshold X", "least score of a passage [rag.search.threshold]", { problem: numberProblem }),
  flag("--rerank SPEC", "a cross-encoder that puts the best passages in order"),
];
