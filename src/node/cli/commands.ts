/**
 * Every command and flag, once: parsing, help and completion all read this table. Data only; it imports nothing heavy,
 * because `--version` and `--help` wait for it.
 */
import { deviceChoices } from "../../core/spec/devices.ts";
import { specGrammar } from "../../core/spec/model-spec.ts";
import {
  describeRange,
  findParameterProblem,
  type ParameterRule,
  parameterRules,
  presets,
  stopLimits,
} from "../../core/text/parameters.ts";

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

export interface Operand {
  readonly name: string;
  readonly optional?: boolean | undefined;
  /** any number of them */
  readonly repeated?: boolean | undefined;
  readonly choices?: readonly string[] | undefined;
}

export interface Command {
  /** as typed; "model info" has two words */
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
  readonly operands: readonly Operand[];
  readonly flags: readonly Flag[];
  /** More to know, in short paragraphs. */
  readonly notes?: readonly string[] | undefined;
  /** [command line, what it does] */
  readonly examples: readonly (readonly [string, string])[];
  /** exit statuses that can happen, besides 0 and 2 */
  readonly exits: readonly number[];
}

export const outputFormats = ["text", "json", "pretty"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** From silent to everything. */
export const traceLevels = ["off", "error", "warn", "info", "debug", "trace"] as const;
export type TraceLevel = (typeof traceLevels)[number];

export const shells = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof shells)[number];

/** Runs right away: it is inside the package. */
export const defaultModel = "tiny-stories";

export const exitMeanings: ReadonlyMap<number, string> = new Map([
  [0, "done"],
  [1, "failure while running"],
  [2, "wrong command line or configuration"],
  [3, "model or file cannot be used"],
  [4, "device cannot be used"],
  [5, "network or remote service"],
  [130, "stopped with Ctrl-C"],
]);

export const globalFlags: readonly Flag[] = [
  { name: "output", value: "FORMAT", choices: outputFormats, description: "text, json, or pretty: json on several lines" },
  {
    name: "trace",
    value: "LEVEL",
    choices: traceLevels,
    description: "off, error, warn, info, debug or trace, on stderr [runtime.log_level, warn]",
  },
  { name: "quiet", short: "q", description: "no progress, notes or warnings; errors stay" },
  { name: "no-color", description: "no colours and no other escape sequences" },
  { name: "profile", short: "p", value: "NAME", problem: emptyProblem, description: "load a built-in profile; llmspell help lists them" },
  { name: "config", short: "c", value: "PATH", problem: emptyProblem, description: "load this configuration file" },
  { name: "help", short: "h", description: "help; for a command with its flags and examples" },
  { name: "version", short: "V", description: "print the version" },
];

const modelFlags: readonly Flag[] = [
  {
    name: "model",
    short: "m",
    value: "SPEC",
    description: `a name, hf:OWNER/REPO, an address or a path [default_model, ${defaultModel}]`,
  },
  { name: "quantization", value: "Q", description: "variant of a named model, the same as NAME:Q" },
  { name: "system", value: "TEXT", description: "system prompt" },
  { name: "device", value: "D", choices: deviceChoices, description: "auto, webgpu, metal, vulkan, cuda, cpu or wasm" },
  {
    name: "context-size",
    value: "N",
    description: "tokens kept, 128 to the model's limit [4096]",
    problem: integerProblem(128, 2 ** 31 - 1),
  },
  { name: "threads", value: "N", description: "CPU threads; 0 = measured here [0]", problem: integerProblem(0, 1024) },
  { name: "draft", value: "Q", choices: ["q8", "q4"], description: "T5: a copy in q8 or q4 writes ahead, the model checks it; same text" },
  { name: "raw", description: "the text as it is, without chat template" },
  { name: "no-stream", description: "print the answer once it is complete" },
  { name: "stats", description: "times, rates, device and seed on stderr" },
  { name: "pull", description: "download the model when it is missing" },
  { name: "offline", description: "never download" },
];

/** All numeric ones come from the parameter table; two take text. */
const samplingFlags: readonly Flag[] = [
  ...parameterRules.map(parameterFlag),
  {
    name: "stop",
    value: "TEXT",
    section: "Sampling",
    repeated: true,
    description: `end before this text; up to ${stopLimits.count} times`,
    problem: (text) =>
      text.length >= 1 && text.length <= stopLimits.length ? undefined : `wanted 1 … ${stopLimits.length} characters; got ${text.length}`,
  },
  {
    name: "preset",
    value: "NAME",
    section: "Sampling",
    choices: Object.keys(presets),
    description: "greedy, balanced, conservative or creative",
  },
];

const backendFlag: Flag = {
  name: "backend",
  value: "B",
  choices: ["candle", "local", "ollama", "all"],
  description: "candle, ollama or all [all]",
};
const allowHostFlag: Flag = { name: "allow-host", value: "HOST", repeated: true, description: "permit this private or local host" };
const wholeNumber = (text: string): string | undefined =>
  /^\d{1,5}$/.test(text) ? undefined : `wanted days, 0 … 99999; got ${quoteShort(text)}`;
/** Pages to look for models. */
export const modelPages = [
  "Ollama: https://ollama.com/library",
  "Candle: https://huggingface.co/models?pipeline_tag=text-generation",
] as const;

export const commands: readonly Command[] = [
  {
    name: "generate",
    summary: "one prompt, one answer",
    operands: [{ name: "PROMPT", optional: true }],
    flags: [...modelFlags, ...samplingFlags],
    notes: ["Text piped to standard input comes first, then a blank line, then PROMPT. With - as PROMPT it is the whole prompt."],
    examples: [
      ['llmspell generate "Once upon a time"', "a story from the bundled model"],
      ['llmspell generate -m ./model.gguf --temperature 0 "Why is the sky blue?"', "your own file, always the same answer"],
      ['llmspell generate -m ./model.gguf "Sum this up." < notes.txt', "a file first, then the request"],
      ['llmspell generate --output json --seed 7 "Once" | jq -r .text', "for programs"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "chat",
    summary: "a conversation",
    operands: [],
    flags: [...modelFlags, ...samplingFlags, { name: "load", value: "FILE", description: "go on with a conversation kept by /save" }],
    notes: [
      'Inside, /help lists the commands, """ begins and ends several lines, Ctrl-C stops an answer and keeps its text, Ctrl-D leaves.',
      "Where standard input is no terminal, each line is one turn. A command that fails there changes nothing; the exit code tells of it.",
    ],
    examples: [
      ["llmspell chat -m ./model.gguf", "talk to your own file"],
      ['llmspell chat -m ./model.gguf --system "Answer in French."', "with a system prompt"],
      ["llmspell chat -m ./model.gguf --output json < questions.txt", "one turn a line, one document at the end"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "model list",
    aliases: ["model ls"],
    summary: "installed models",
    operands: [],
    flags: [backendFlag, { name: "verbose", short: "v", description: "also source, revision, check, licence and path" }],
    examples: [["llmspell model list", "everything that runs right away"]],
    exits: [3, 5, 130],
  },
  {
    name: "model available",
    summary: "models that can be pulled",
    operands: [],
    flags: [
      backendFlag,
      { name: "recommended", description: "only those we recommend" },
      { name: "search", value: "TEXT", description: "only those with this text in name, description or source" },
    ],
    examples: [["llmspell model available --recommended", "where to begin"]],
    exits: [],
  },
  {
    name: "model pull",
    summary: "download models",
    operands: [{ name: "SPEC", repeated: true }],
    flags: [
      { name: "force", short: "f", description: "download again; the old file is replaced once the new one is right" },
      { name: "quantization", value: "Q", description: "variant, the same as SPEC:Q" },
      { name: "as", value: "NAME", description: "a name of your own; for a path, registers it where it lies" },
      { name: "offline", description: "never download" },
      allowHostFlag,
      { name: "dry-run", description: "say what would come, and stop" },
    ],
    notes: [`SPEC is ${specGrammar}.`, "An interrupted download is kept; the same command goes on with it.", ...modelPages],
    examples: [
      ["llmspell model available", "what there is"],
      ["llmspell model pull tinyllama@candle", "from the catalogue"],
      ["llmspell model pull flan-t5-small@candle", "a T5 folder"],
      ["llmspell model pull llama3.1:8b@ollama", "by the Ollama server"],
      ["llmspell model pull hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", "from the Hugging Face Hub"],
    ],
    exits: [3, 5, 130],
  },
  {
    name: "model info",
    aliases: ["model show"],
    summary: "what a model says about itself; reads headers only",
    operands: [{ name: "SPEC" }],
    flags: [{ name: "remote", description: "read the header over the network; no weights are fetched" }],
    examples: [
      ["llmspell model info tiny-stories", "the bundled model"],
      ["llmspell model info ./model.gguf", "a file"],
      ["llmspell model info hf:google/flan-t5-small --remote", "before it is pulled"],
      ["llmspell model info ./model.gguf --output json | jq .context_length", "one fact, for programs"],
    ],
    exits: [3, 5, 130],
  },
  {
    name: "model remove",
    aliases: ["model rm"],
    summary: "delete models",
    operands: [{ name: "SPEC", repeated: true }],
    flags: [{ name: "yes", short: "y", description: "do not ask" }],
    examples: [["llmspell model remove tinyllama", "files that nothing else uses go too"]],
    exits: [3, 5, 130],
  },
  {
    name: "model status",
    summary: "health of the backends",
    operands: [],
    flags: [backendFlag],
    examples: [["llmspell model status", "is Ollama there, how many models are here"]],
    exits: [3, 5, 130],
  },
  {
    name: "model verify",
    summary: "hash stored files again",
    operands: [{ name: "SPEC", repeated: true, optional: true }],
    flags: [{ name: "all", description: "every model; the same as no SPEC" }],
    examples: [["llmspell model verify --all", "status 3 where a file is not what was stored"]],
    exits: [3, 130],
  },
  {
    name: "model prune",
    summary: "drop unfinished downloads and files no model uses",
    operands: [],
    flags: [
      { name: "older-than", value: "DAYS", description: "only what was not touched for so long [0]", problem: wholeNumber },
      { name: "dry-run", description: "say what would go" },
      { name: "yes", short: "y", description: "do not ask" },
    ],
    examples: [["llmspell model prune --dry-run", "what it would free"]],
    exits: [3, 130],
  },
  {
    name: "ps",
    summary: "loaded models and where they compute",
    operands: [],
    flags: [{ name: "all", description: "also those of an Ollama server that is not declared" }],
    examples: [["llmspell ps", "models of other llmspell processes, and of Ollama"]],
    exits: [5, 130],
  },
  {
    name: "config show",
    summary: "the configuration in effect",
    operands: [{ name: "SECTION", optional: true }],
    flags: [
      { name: "format", value: "FORM", choices: ["toml", "json"], description: "toml or json [toml]" },
      { name: "origin", description: "where each value came from" },
    ],
    notes: ["Only the body goes to standard output, so that it can be kept in a file and loaded again. Secrets are masked."],
    examples: [
      ["llmspell -p candle config show providers --origin", "one section, with the origin of each value"],
      ["llmspell -p minimal config show --format json | jq .default_engine", "one value, for programs"],
    ],
    exits: [],
  },
  {
    name: "config list-profiles",
    summary: "the built-in profiles",
    operands: [],
    flags: [{ name: "detailed", short: "d", description: "also what each is for, and what it has" }],
    examples: [["llmspell config list-profiles -d", "all there is to know"]],
    exits: [],
  },
  {
    name: "config validate",
    summary: "check a file, or the configuration in effect",
    operands: [],
    flags: [
      { name: "file", short: "f", value: "FILE", problem: emptyProblem, description: "check this file by itself, without the environment" },
    ],
    examples: [
      ["llmspell config validate", "what would be used here"],
      ["llmspell config validate --file my.toml", "a file"],
    ],
    exits: [],
  },
  {
    name: "config init",
    summary: "write a configuration file to begin with",
    operands: [],
    flags: [
      { name: "file", value: "FILE", problem: emptyProblem, description: "its path [llmspell.toml]" },
      { name: "from", value: "PROFILE", description: "begin with the keys of this profile" },
      { name: "force", short: "f", description: "replace a file that is there" },
    ],
    examples: [
      ["llmspell config init", "a small llmspell.toml"],
      ["llmspell config init --from rag-prod --file my.toml", "every key of a profile, each explained"],
    ],
    exits: [3],
  },
  {
    name: "config path",
    summary: "which file is used, and where was looked",
    operands: [],
    flags: [],
    examples: [["llmspell config path", "also the home and the folder of the models"]],
    exits: [],
  },
  {
    name: "doctor",
    summary: "check runtimes, devices, models and folders",
    operands: [],
    flags: [
      { name: "device", value: "D", choices: deviceChoices, description: "fail with status 4 unless this device can be used" },
      { name: "online", description: "also check servers on the network", later: "checks of servers" },
    ],
    examples: [
      ["llmspell doctor", "one line for each check; runs the bundled models on each device"],
      ["llmspell doctor --device webgpu", "whether this device computes right"],
      ["llmspell doctor --output json | jq .device", "the device that would be used"],
    ],
    exits: [1, 4, 130],
  },
  {
    name: "version",
    summary: "the version; -v for engines and model families too",
    operands: [],
    flags: [{ name: "verbose", short: "v", description: "also Node, platform, engines, model families" }],
    examples: [["llmspell version -v", "what to put into a report"]],
    exits: [],
  },
  {
    name: "completion",
    summary: "completion script for a shell",
    operands: [{ name: "SHELL", choices: shells }],
    flags: [],
    examples: [
      ['eval "$(llmspell completion bash)"', "bash: put it into ~/.bashrc"],
      ['eval "$(llmspell completion zsh)"', "zsh: into ~/.zshrc, after compinit"],
      ["llmspell completion fish > ~/.config/fish/completions/llmspell.fish", "fish"],
      ["llmspell completion powershell | Out-String | Invoke-Expression", "PowerShell: into $PROFILE"],
    ],
    exits: [],
  },
  {
    name: "help",
    summary: "help on a command",
    operands: [{ name: "COMMAND", optional: true }],
    flags: [],
    examples: [["llmspell help generate", "flags, examples and exit codes"]],
    exits: [],
  },
];

/** Names that later releases answer; nothing else may use them. */
export const laterCommands: readonly string[] = ["run", "exec", "repl", "serve"];

/** First words of commands with two. */
export const commandGroups: ReadonlySet<string> = new Set(["model", "config"]);

/** A number as people write one; `Number` alone would also take "", "0x10" and "Infinity". */
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function parameterFlag(rule: ParameterRule): Flag {
  return {
    name: rule.snakeName.replaceAll("_", "-"),
    value: "N",
    section: "Sampling",
    description: rule.decoderDefault === undefined ? rule.description : `${rule.description} [${rule.decoderDefault}]`,
    problem: (text) => parameterProblem(rule, text),
  };
}

/** @returns what is wrong with a number as typed, or undefined */
export function parameterProblem(rule: ParameterRule, text: string): string | undefined {
  if (decimal.test(text)) return findParameterProblem(rule, Number(text));
  return `wanted ${rule.integer ? "" : "a number, "}${describeRange(rule)}; got ${quoteShort(text)}`;
}

function emptyProblem(text: string): string | undefined {
  return text === "" ? "nothing stands between the quotes" : undefined;
}

function integerProblem(min: number, max: number): (text: string) => string | undefined {
  return (text) => {
    const value = decimal.test(text) ? Number(text) : Number.NaN;
    return Number.isInteger(value) && value >= min && value <= max
      ? undefined
      : `wanted an integer, ${min} … ${max}; got ${quoteShort(text)}`;
  };
}

/** A value for an error message: quoted, and never longer than a line. */
export function quoteShort(text: string): string {
  return text.length <= 60 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 57))}… (${text.length} characters)`;
}

/** Word of a flag in help and messages. */
export function flagWord(flag: Pick<Flag, "name">): string {
  return `--${flag.name}`;
}
