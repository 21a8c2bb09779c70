/**
 * The one error class, the closed list of codes, a hint for each, and the exit status of each area.
 * It does not decide wording of messages: the code that throws says what happened, to what, expected and got.
 */
import type { Action } from "./spec/action.ts";

/** Every code users and programs can meet, with its hint. `area-problem`; the area decides the exit status. A new code is a public change. */
const hints = {
  "usage-unknown": "See the list of commands and flags.",
  "usage-value": "Give one of the allowed values.",
  "usage-confirm": "Say yes on the command line.",
  "usage-no-prompt": "Give a prompt as an operand, or pipe text to standard input.",
  "usage-no-model": "Name a model with -m, or set default_model of a provider.",
  "usage-script-not-found": "Check the path of the script.",
  "usage-not-available": "This name is reserved for a later release.",
  "spec-syntax": "See the forms of a model's name.",
  "spec-host": "Give a public address, or set models.allow_hosts.",
  "backend-unknown": "Write model:variant@backend; backends are candle (alias local) and ollama.",
  "env-value": "Correct or unset the variable.",
  "config-conflict": "Use only one of them.",
  "config-not-found": "Give the path of a file that exists, or make one.",
  "config-not-regular": "Give the path of a regular file.",
  "config-unreadable": "Check the permissions of the file.",
  "config-syntax": "Correct the file; it must be TOML 1.0 in UTF-8.",
  "config-unknown-key": "Correct or remove the key; names of your own begin with x-",
  "config-retired-key": "Older versions knew the key; write what replaced it.",
  "config-value": "Correct the value.",
  "config-exists": "Choose another file, or replace it.",
  "profile-unknown": "Take one of the built-in profiles.",
  "backend-not-configured": "Load a profile that declares it, or declare it in a file.",
  "model-unknown": "Bundled models run right away; for your own file give its path.",
  "model-not-installed": "Pull it first.",
  "model-bundled": "It is part of the package.",
  "model-variant-unknown": "Take one of the variants listed.",
  "model-ambiguous": "Name one of the files.",
  "model-layout":
    "Accepted layouts: one .gguf file, all parts of a split .gguf, or a T5 folder (config.json, *.safetensors, tokenizer.json or spiece.model).",
  "model-architecture": "Use a model of a supported family.",
  "model-t5-gguf": "T5 runs from its safetensors form (config.json, model.safetensors, tokenizer.json).",
  "model-empty": "The file has no bytes; fetch it again.",
  "model-not-regular": "Give the path of a regular file.",
  "gguf-truncated": "The file is incomplete; fetch it again.",
  "gguf-magic": "The file is not a GGUF model.",
  "gguf-version": "GGUF versions 2 and 3 are read.",
  "gguf-endian": "Convert the model to little-endian.",
  "gguf-count": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-key": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-type": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-string": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-array": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-duplicate": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-alignment": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-tensor": "The file is damaged, or made by a newer converter; fetch or convert it again.",
  "gguf-offset": "The file is damaged or hostile; fetch it again from a source you trust.",
  "gguf-metadata": "The file lacks facts a runtime needs; convert it again.",
  "gguf-tokenizer": "The tokenizer inside the file is unusable; convert the model again.",
  "gguf-shard": "Put all parts of the model into one folder, under their own names.",
  "model-config-json": "The model's configuration is not readable JSON; fetch the file again.",
  "model-config-field": "The model's configuration is damaged or hostile; fetch it again from a source you trust.",
  "safetensors-truncated": "The file is incomplete; fetch it again.",
  "safetensors-header-size": "The file is no safetensors file, or damaged; fetch it again.",
  "safetensors-header-utf8": "The file is damaged; fetch it again.",
  "safetensors-header-json": "The file is damaged or hostile; fetch it again from a source you trust.",
  "safetensors-dtype": "T5 weights are read as F32, F16 or BF16.",
  "safetensors-shape": "The file is damaged or hostile; fetch it again from a source you trust.",
  "safetensors-offset": "The file is damaged or hostile; fetch it again from a source you trust.",
  "safetensors-hole": "The file is damaged; fetch it again.",
  "safetensors-missing": "Put all files of the model into one folder, under their own names.",
  "tokenizer-missing": "Put tokenizer.json, or spiece.model, beside the weights; only ByT5 needs neither.",
  "tokenizer-json": "The file is damaged or of an unknown kind; fetch it again.",
  "tokenizer-limit": "The file is damaged or hostile; fetch it again from a source you trust.",
  "onnx-parse": "The graph is damaged, or made for a newer engine; fetch or export it again.",
  "onnx-external": "Put the weights beside the graph, complete.",
  "template-parse": "The chat template in the model file cannot be read; use the prompt raw.",
  "template-limit": "The chat template in the model file costs too much; use the prompt raw.",
  "store-denied": "Check the permissions, or point LLMSPELL_HOME at a folder you can write.",
  "store-full": "Free some space, or remove what is not needed any more.",
  "store-quota": "The browser gives this page no more room; remove stored models, or run this one from memory.",
  "store-locked": "Wait until the other process has ended, then try again.",
  "store-corrupt": "The file is changed or damaged; fetch it again.",
  "store-evicted": "The stored file is gone; fetch it again.",
  "device-unavailable": "See what each device answered, or use the CPU.",
  "device-memory": "Take a smaller variant or a shorter context.",
  "device-lost": "Try again; the model is opened anew.",
  "device-self-test": "The device computes wrongly: update its driver, or use the CPU.",
  "net-status": "The server did not answer with the file.",
  "net-range": "The server must answer byte ranges.",
  "net-hash": "The bytes are not those the source promises; nothing was stored.",
  "net-too-big": "The server sends more than it says; nothing was stored.",
  "net-changed": "The file changed at its source while it was fetched; pull again.",
  "net-offline": "Check the network; models that are here run without it.",
  "net-timeout": "Run the same command again; it continues where it stopped.",
  "net-stall": "Run the same command again; it continues where it stopped.",
  "net-reset": "Run the same command again; it continues where it stopped.",
  "net-tls":
    "Check the address and the clock of this machine. Where a proxy stands in between, NODE_EXTRA_CA_CERTS names the file with its certificate.",
  "net-redirect": "The server sends elsewhere in a way that is not followed.",
  "net-not-found": "Check the name; see which files the repository has.",
  "net-gated": "Accept the terms of the repository, then set HF_TOKEN.",
  "net-auth": "Set HF_TOKEN to a token that may read the repository.",
  "net-rate": "Wait, then run the same command again.",
  "net-size": "The file has another length than the source says; nothing was stored.",
  "ollama-unreachable": "Start it, or set OLLAMA_HOST. Ollama is installed from https://ollama.com/download",
  "ollama-error": "See what the server says.",
  "config-api-key-missing": "Set the variable that holds the key.",
  "provider-unauthorized": "Check the key, and what it may use.",
  "provider-rate-limit": "Wait, then try again.",
  "provider-error": "See what the server says.",
  "run-crash": "Try again; if it happens each time, report it with the model's name.",
  "run-busy": "Wait for other generations to end.",
  "run-context": "Shorten the prompt or raise the context size.",
  "run-option": "Correct the option.",
  "run-form": "Ask again, or take a model that is held to the form while it writes, as GGUF and T5 models in this process are.",
  "run-nan": "The model gave no usable numbers; its file may be damaged.",
  "run-closed": "Load the model again.",
  "run-aborted": "Nothing to do: it was asked for.",
  "script-syntax": "Correct the script at this line.",
  "script-error": "Correct the script at this line, or catch the error there.",
  "script-argument": "Correct the argument.",
  "script-json": "Correct the text at this position; it must be JSON.",
  "script-time": "Let the script compute less, or raise the limit in the configuration.",
  "script-memory": "Let the script hold less at once, or raise the limit in the configuration.",
  "script-stack": "A function calls itself without an end, or nearly so.",
  "script-output": "Let the script print less, or raise the limit in the configuration.",
  "script-denied": "Scripts may do this only where the configuration allows it.",
  "agent-create-removed": "Make agents with Agent.builder().",
  "agent-model-required": "Name a model with model(), or set default_model of the provider.",
  "agent-option": "Correct the option.",
  "agent-modality": "Say it in words.",
  "agent-timeout": "Raise max_execution_time, or ask for fewer tokens.",
  "agent-duplicate": "Choose another name, or free this one with destroy().",
  "rag-damaged": "Remove the file that is named and ingest its sources again; the other files stay.",
  "rag-model": "Ingest again with this embedding model, or go back to the one that made the index.",
  "rag-unknown": "See what there is.",
  "rag-version": "Use the newer llmspell that wrote it, or another folder.",
  "rag-disabled": "Switch it on in the configuration.",
  "rag-duplicate": "Give it another id, or let it be replaced (rag.ingest.on_duplicate).",
  "rag-empty": "Ask in other words, ingest what would answer it, or lower the threshold.",
  "rag-file": "Leave the file out, or save it as UTF-8.",
  "rag-input": "Correct the document, the question or the option.",
  "rag-memory": "Remove documents, or raise the limit.",
  "rag-package": "Install the package that reads these files.",
  "rag-rate": "Wait, then try again.",
  "rag-tenant": "Name a tenant, or raise the limit.",
  "rag-timeout": "Raise rag.embedding.timeout_seconds, or lower rag.embedding.batch_size.",
  "state-disabled": "Switch it on in the configuration.",
  "state-full": "Delete what is not needed, or raise the limit.",
  "state-unknown": "See what there is.",
  "http-host": "Ask for a host that the server answers for.",
  "http-origin": "Pages of this origin are not answered; let the server allow it.",
  "http-token": "Send the server's token as a bearer token.",
  "http-path": "See which paths the server has.",
  "http-method": "Take a method that the path has.",
  "http-type": "Send JSON as application/json, not compressed.",
  "http-size": "Send a smaller body.",
  "http-body": "Send one JSON object in UTF-8.",
  "http-field": "Correct or leave out the field.",
  "http-busy": "Wait, then try again.",
  "session-disabled": "Switch it on in the configuration.",
  "session-unknown": "See which sessions there are.",
  "session-status": "Resume the session, or begin another one.",
  "session-full": "Delete what is not needed, or raise the limit.",
  "event-disabled": "Switch it on in the configuration.",
  "event-unknown": "Subscribe first; a subscription ends with the script.",
  "hook-disabled": "Switch it on in the configuration.",
  "hook-cancelled": "A hook of the script decided so; see its reason.",
  "tool-unknown": "Take the name of a tool that is there.",
  "tool-disabled": "Switch it on in the configuration.",
  "tool-input": "Correct the input; the tool says what it takes.",
  "tool-failed": "Correct the input, or catch the error.",
  "tool-limit": "Ask for less at once.",
  "tool-rate": "Wait, or raise the limit in the configuration.",
  "tool-package": "Install the package that speaks to servers of tools.",
  "tool-denied": "Tools may do this only where the configuration allows it.",
  "workflow-option": "Correct the workflow.",
  "workflow-failed": "Correct the step, or let the workflow go on with error_strategy.",
  "workflow-limit": "Let the workflow do less at once.",
  "workflow-timeout": "Raise timeout_ms, or let the step do less.",
  "internal-error": "Please report this, with its log at level debug.",
} as const;

export type ErrorCode = keyof typeof hints;

const raw: Action = { kind: "use-option", name: "raw", value: true };

/** What helps with every error of a code, where its thrower says nothing nearer. */
const usualActions: Readonly<Partial<Record<ErrorCode, readonly Action[]>>> = {
  "spec-syntax": [{ kind: "help-names" }],
  "template-parse": [raw],
  "template-limit": [raw],
};

const statusByArea: Readonly<Record<string, number>> = {
  run: 1,
  script: 1,
  state: 1,
  agent: 1,
  rag: 1,
  session: 1,
  event: 1,
  hook: 1,
  internal: 1,
  tool: 1,
  workflow: 1,
  usage: 2,
  config: 2,
  env: 2,
  profile: 2,
  backend: 2,
  spec: 2,
  model: 3,
  gguf: 3,
  safetensors: 3,
  tokenizer: 3,
  onnx: 3,
  template: 3,
  store: 3,
  device: 4,
  net: 5,
  ollama: 5,
  provider: 5,
  http: 5,
};

const retryableCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "run-busy",
  "store-locked",
  "tool-rate",
  "net-offline",
  "net-timeout",
  "net-stall",
  "net-reset",
  "net-rate",
  "ollama-unreachable",
  "provider-rate-limit",
  "http-busy",
  "rag-rate",
  "rag-timeout",
]);

/** Answers of a server that may be another one a moment later. */
const retryableStatus: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What travels between threads, processes and in JSON results. */
export interface SpellErrorJson {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly actions: readonly Action[];
  readonly where?: string | undefined;
  readonly retryable: boolean;
  readonly exit_code: number;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export interface SpellErrorOptions {
  /** What to do next, in one sentence; the code's own hint by default. */
  readonly hint?: string | undefined;
  /** What a person can do, most useful first. */
  readonly actions?: readonly Action[] | undefined;
  /** File, key, tensor or parameter concerned. */
  readonly where?: string | undefined;
  /** Machine-readable facts: counts, names, partial text. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export interface SpellErrorChanges extends SpellErrorOptions {
  readonly code?: ErrorCode | undefined;
  readonly message?: string | undefined;
}

/** The only error this library throws on purpose. `message` says what happened; `hint` and `actions` say what to do. */
export class SpellError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly actions: readonly Action[];
  readonly where: string | undefined;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: SpellErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // what programs look for after an abort, as of fetch
    this.name = code === "run-aborted" ? "AbortError" : "SpellError";
    this.code = code;
    this.hint = options.hint ?? hints[code];
    this.actions = options.actions ?? usualActions[code] ?? [];
    this.where = options.where;
    const isStatus = code === "net-status" || code === "provider-error";
    this.retryable = retryableCodes.has(code) || (isStatus && retryableStatus.has(Number(options.details?.["status"])));
    this.details = options.details;
  }

  /** Process exit status of this error: 1 running, 2 usage, 3 model, 4 device, 5 network, 130 aborted. */
  get exitCode(): number {
    return exitCodeOf(this.code);
  }

  toJSON(): SpellErrorJson {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      actions: this.actions,
      where: this.where,
      retryable: this.retryable,
      exit_code: this.exitCode,
      details: this.details,
    };
  }

  /** The same error with some of it said otherwise; `details` are added to. The original becomes the cause. */
  with({ code = this.code, message = this.message, details, ...changes }: SpellErrorChanges): SpellError {
    const { hint, actions, where } = this;
    return new SpellError(code, message, {
      hint: code === this.code ? hint : undefined,
      actions,
      where,
      cause: this,
      ...changes,
      details: details === undefined ? this.details : { ...this.details, ...details },
    });
  }

  /** Rebuilds an error that crossed a thread or process. Anything that is not one of ours becomes `internal-error`. */
  static fromJSON(value: unknown): SpellError {
    const json = value as Partial<SpellErrorJson> | null;
    if (typeof json !== "object" || json === null || typeof json.code !== "string" || !Object.hasOwn(hints, json.code)) {
      return new SpellError("internal-error", "an error of unknown form arrived from another thread");
    }
    return new SpellError(json.code, messageOf(json.message ?? ""), {
      hint: typeof json.hint === "string" ? json.hint : undefined,
      actions: Array.isArray(json.actions) ? json.actions : undefined,
      where: typeof json.where === "string" ? json.where : undefined,
      details: json.details,
    });
  }
}

export function exitCodeOf(code: ErrorCode): number {
  if (code === "run-aborted") return 130;
  return statusByArea[code.slice(0, code.indexOf("-"))] ?? 1;
}

/** All codes with their hints, for the generated page and for tests. */
export function errorTable(): readonly { readonly code: ErrorCode; readonly hint: string; readonly exitCode: number }[] {
  return (Object.keys(hints) as ErrorCode[]).map((code) => ({ code, hint: hints[code], exitCode: exitCodeOf(code) }));
}

/** Wraps whatever was thrown; our own errors pass unchanged. `code` names the boundary that was crossed. */
export function toSpellError(error: unknown, code: ErrorCode = "internal-error", context = ""): SpellError {
  if (error instanceof SpellError) return error;
  const text = messageOf(error);
  return new SpellError(code, context === "" ? text : `${context}: ${text}`, { cause: error });
}

/** What was thrown, in its own words. */
export function messageOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  const { message } = error as { readonly message?: unknown };
  if (typeof message === "string") return message;
  try {
    return JSON.stringify(error).slice(0, 500);
  } catch {
    return "an object without a message";
  }
}

/** The error of an abort through a signal. It is an answer, never logged as a failure. */
export function abortedError(details?: Readonly<Record<string, unknown>>): SpellError {
  return new SpellError("run-aborted", "aborted by the caller", details === undefined ? {} : { details });
}

/** The error of a call to a model that was disposed. */
export function closedError(cause?: SpellError): SpellError {
  return new SpellError("run-closed", "the model was disposed", { details: cause?.details, cause });
}

/** The error of a call to a spell that was disposed. */
export function disposedError(): SpellError {
  return new SpellError("run-closed", "the spell was disposed", { hint: "Make another one with createSpell()." });
}

/** The error of a prompt that is longer than the context. @param promptTokens undefined where the engine does not count them */
export function contextError(promptTokens: number | undefined, contextLength: number): SpellError {
  return new SpellError("run-context", `the prompt has ${promptTokens ?? "more"} tokens; the context holds ${contextLength}`, {
    where: "prompt",
    details: { promptTokens, contextLength },
  });
}

/** The error of a model whose first numbers are none, or all the same. */
export function firstStepError(areFinite: boolean): SpellError {
  return new SpellError("run-nan", `the first step gave ${areFinite ? "the same number for every token" : "no finite numbers"}`);
}

/** @throws SpellError run-aborted, or what the signal was aborted with, where that is an error of ours: it says who ended it */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw signal.reason instanceof SpellError ? signal.reason : abortedError();
}
