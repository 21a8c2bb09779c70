/** What is refused in calls that look after models, before they begin: a wrong option would delete, fetch or leave what was not meant. */
import type { Backend } from "../backends/backend.ts";
import { SpellError } from "../errors.ts";
import { type ModelSpec, printModelSpec } from "../spec/model-spec.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";

type Form = readonly [expected: string, fits: (value: unknown) => boolean];

const isText = (value: unknown): boolean => typeof value === "string";
const flag: Form = ["true or false", (value) => typeof value === "boolean"];
const text: Form = ["a text", isText];
const callback: Form = ["a function", (value) => typeof value === "function"];

const forms: Readonly<Record<string, Form>> = {
  force: flag,
  offline: flag,
  remote: flag,
  recommended: flag,
  dryRun: flag,
  quantization: text,
  as: text,
  backend: text,
  kind: text,
  search: text,
  allowHosts: ["a list of hosts", (value) => Array.isArray(value) && value.every(isText)],
  olderThanMs: ["a number of milliseconds, 0 or more", (value) => typeof value === "number" && value >= 0],
  onProgress: callback,
  onEvent: callback,
  onFile: callback,
};

const names: Readonly<Record<string, readonly string[]>> = {
  available: ["backend", "kind", "search", "recommended"],
  info: ["remote", "signal"],
  prune: ["olderThanMs", "dryRun"],
  verify: ["signal", "onFile"],
};

/**
 * @param known names of all options, where the call is not one of those above
 * @throws SpellError run-option
 */
export function checkModelOptions(call: string, options: object, known: readonly string[] = names[call] ?? []): void {
  checkOptionNames(options, known, call);
  for (const [name, value] of Object.entries(options)) {
    const form = forms[name];
    if (value !== undefined && form?.[1](value) === false) throw wrongOption(name, form[0], value);
  }
}

export function wrongName(name: unknown): SpellError {
  return wrongOption("name", "the name of a model, a path or an address", name);
}

export function cannot(backend: Backend, what: "offer" | "pull" | "remove" | "verify", spec: ModelSpec): SpellError {
  const model = printModelSpec({ ...spec, backend: backend.type });
  const message = `${backend.type} cannot ${what} ${model}`;
  const hint =
    what === "verify"
      ? "It looks after its own files: a pull checks them, and fetches those that are damaged."
      : "Only models of candle have this.";
  const actions = what === "verify" ? [{ kind: "pull", model } as const] : [];
  return new SpellError("usage-not-available", message, { where: backend.name, hint, actions });
}
