/** The form of generation parameters: names, ranges and defaults come from the library. An empty field means the model's default. */
import { type GenerateOptions, type LanguageModel, type Preset, parameterRules, presets, SpellError } from "../src/browser/index.ts";
import { describeRange, findParameterProblem } from "../src/core/text/parameters.ts";
import { find, make } from "./elements.ts";

type RuleName = (typeof parameterRules)[number]["name"];

const grid = find("parameters", HTMLDivElement);
const shared: readonly RuleName[] = ["maxTokens", "temperature", "topP", "topK", "minP", "repeatPenalty", "seed"];
const beams: readonly RuleName[] = ["numBeams", "numReturnSequences", "lengthPenalty", "noRepeatNgramSize"];
const labels: Readonly<Partial<Record<RuleName, string>>> = {
  maxTokens: "Max tokens",
  temperature: "Temperature",
  topP: "Top p",
  topK: "Top k",
  minP: "Min p",
  repeatPenalty: "Repeat penalty",
  seed: "Seed",
  numBeams: "Beams",
  numReturnSequences: "Answers",
  lengthPenalty: "Length penalty",
  noRepeatNgramSize: "No-repeat n-gram size",
};

/** In place of descriptions that speak of what few people know. */
const notes: Readonly<Partial<Record<RuleName, string>>> = { maxTokens: "longest answer; 100 tokens are about 75 words" };

/** Removed from descriptions: these parameters are shown only for such models. */
const forSeq2Seq = " (encoder-decoder models)";

const inputs = new Map<RuleName, HTMLInputElement>();
const preset = make("select", { attributes: { id: "preset" } });
const system = make("textarea", { attributes: { id: "system", rows: "2" } });
const device = find("device", HTMLSelectElement);
const prefix = make("input", { attributes: { id: "prefix", type: "text", autocomplete: "off" } });

function field(id: string, label: string, control: HTMLElement, note?: string): HTMLElement {
  const described = note === undefined ? [] : [make("small", { text: note, attributes: { id: `${id}-note` } })];
  if (note !== undefined) control.setAttribute("aria-describedby", `${id}-note`);
  return make(
    "div",
    { class: "field", attributes: { "data-field": id } },
    make("label", { text: label, attributes: { for: id } }),
    control,
    ...described,
  );
}

/** @param onDevice called when another device is chosen; it applies from the next load */
export function buildParameters(onDevice: () => void): void {
  preset.append(make("option", { text: "model default", attributes: { value: "" } }));
  for (const name of Object.keys(presets)) preset.append(make("option", { text: name, attributes: { value: name } }));
  device.addEventListener("change", onDevice);
  const fields = [...shared, ...beams].map((name) => {
    const rule = parameterRules.find((candidate) => candidate.name === name);
    if (rule === undefined) throw new Error(`unknown parameter ${name}`);
    const input = make("input", {
      attributes: {
        id: name,
        type: "number",
        inputmode: rule.integer ? "numeric" : "decimal",
        min: String(rule.min),
        max: String(rule.max),
        step: rule.integer ? "1" : "any",
      },
    });
    input.addEventListener("input", () => tellWrong(input, undefined));
    input.addEventListener("change", () => tellWrong(input, wrongOf(rule, input)));
    inputs.set(name, input);
    return field(name, labels[name] ?? name, input, notes[name] ?? rule.description.replace(forSeq2Seq, ""));
  });
  grid.replaceChildren(
    field("preset", "Preset", preset, "sets several values; single values override it"),
    field("prefix", "Task", prefix, "added before each input that lacks it"),
    field("system", "System message", system, "sent before the conversation"),
    ...fields,
  );
}

/** @returns what is wrong with a field, undefined if nothing */
function wrongOf(rule: (typeof parameterRules)[number], input: HTMLInputElement): string | undefined {
  const isWrong = input.validity.badInput || (input.value !== "" && findParameterProblem(rule, input.valueAsNumber) !== undefined);
  return isWrong ? `Expected ${describeRange(rule)}` : undefined;
}

/** Says below a field what is wrong with it. */
function tellWrong(input: HTMLInputElement, text: string | undefined): void {
  const id = `${input.id}-wrong`;
  document.getElementById(id)?.remove();
  if (text === undefined) input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${text === undefined ? "" : `${id} `}${input.id}-note`);
  if (text !== undefined) input.after(make("small", { class: "wrong", text, attributes: { id } }));
}

/** @returns the first field whose value the model would refuse; it says why */
export function wrongField(): HTMLInputElement | undefined {
  for (const rule of parameterRules) {
    const input = inputs.get(rule.name);
    if (input === undefined || input.closest<HTMLElement>(".field")?.hidden === true) continue;
    const text = wrongOf(rule, input);
    tellWrong(input, text);
    if (text !== undefined) return input;
  }
  return undefined;
}

/** @returns the field that an error of the library is about; it says what is wrong */
export function fieldOfError(error: unknown): HTMLInputElement | undefined {
  if (!(error instanceof SpellError) || error.code !== "run-option") return undefined;
  const input = inputs.get(error.where as RuleName);
  if (input === undefined) return undefined;
  const words = error.message.replace(`${error.where}: `, "");
  tellWrong(input, words.charAt(0).toUpperCase() + words.slice(1));
  return input;
}

/** Shows the parameters that apply to this model, with its defaults. */
export function fitParameters(model: Pick<LanguageModel, "id" | "isSeq2Seq" | "hasChatTemplate"> | undefined): void {
  const isSeq2Seq = model?.isSeq2Seq ?? false;
  const show = (id: string, shown: boolean): void => {
    const row = grid.querySelector<HTMLElement>(`[data-field="${id}"]`);
    if (row !== null) row.hidden = !shown;
  };
  show("prefix", isSeq2Seq);
  show("system", model?.hasChatTemplate ?? false);
  for (const name of beams) show(name, isSeq2Seq);
  for (const [name, input] of inputs) {
    const rule = parameterRules.find((candidate) => candidate.name === name);
    const usual = isSeq2Seq ? (rule?.seq2seqDefault ?? rule?.decoderDefault) : rule?.decoderDefault;
    input.placeholder = usual === undefined ? "random" : String(usual);
  }
  prefix.value = model?.id.startsWith("tiny-t5-en-fr") === true ? "translate English to French: " : "";
}

export function chosenDevice(): "auto" | "webgpu" | "wasm" {
  return device.value === "webgpu" || device.value === "wasm" ? device.value : "auto";
}

export function chooseDevice(value: "auto" | "webgpu" | "wasm"): void {
  device.value = value;
}

/** The input of a text-to-text model for this prompt. */
export function withPrefix(prompt: string): string {
  return prompt.startsWith(prefix.value.trim()) ? prompt : prefix.value + prompt;
}

/** Only fields that are filled in and apply to this model; the library checks the ranges. */
export function chosenOptions({ isSeq2Seq, hasChatTemplate }: LanguageModel): GenerateOptions {
  const values = [...inputs].flatMap(([name, input]) =>
    input.value === "" || (!isSeq2Seq && beams.includes(name)) ? [] : [[name, input.valueAsNumber] as const],
  );
  return {
    ...Object.fromEntries(values),
    ...(preset.value === "" ? {} : { preset: preset.value as Preset }),
    ...(hasChatTemplate && system.value.trim() !== "" ? { system: system.value } : {}),
  };
}
