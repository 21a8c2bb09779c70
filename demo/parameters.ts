/** The form of generation parameters: names, ranges and defaults are the library's own. An empty field leaves a value to the model. */
import { type GenerateOptions, type LanguageModel, type Preset, parameterRules, presets } from "../src/browser/index.ts";
import { find, make } from "./elements.ts";

type RuleName = (typeof parameterRules)[number]["name"];

const grid = find("parameters", HTMLDivElement);
const shared: readonly RuleName[] = ["maxTokens", "temperature", "topP", "topK", "minP", "repeatPenalty", "seed"];
const beams: readonly RuleName[] = ["numBeams", "numReturnSequences", "lengthPenalty", "noRepeatNgramSize"];
const labels: Readonly<Partial<Record<RuleName, string>>> = {
  maxTokens: "Most tokens",
  temperature: "Temperature",
  topP: "Top p",
  topK: "Top k",
  minP: "Min p",
  repeatPenalty: "Repeat penalty",
  seed: "Seed",
  numBeams: "Beams",
  numReturnSequences: "Answers",
  lengthPenalty: "Length penalty",
  noRepeatNgramSize: "No repeat of",
};

/** Said of parameters that are shown for such models only. */
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

/** @param onDevice another device was chosen: it counts from the next load on */
export function buildParameters(onDevice: () => void): void {
  preset.append(make("option", { text: "the model's own", attributes: { value: "" } }));
  for (const name of Object.keys(presets)) preset.append(make("option", { text: name, attributes: { value: name } }));
  device.addEventListener("change", onDevice);
  const fields = [...shared, ...beams].map((name) => {
    const rule = parameterRules.find((candidate) => candidate.name === name);
    if (rule === undefined) throw new Error(`no parameter is called ${name}`);
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
    inputs.set(name, input);
    return field(name, labels[name] ?? name, input, rule.description.replace(forSeq2Seq, ""));
  });
  grid.replaceChildren(
    field("preset", "Preset", preset, "sets several at once; single values win"),
    field("prefix", "Task", prefix, "put before each input, where it is not there already"),
    field("system", "System message", system, "put before the conversation"),
    ...fields,
  );
}

/** Shows what has a meaning for this model, with the defaults it has. */
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

/** What a text-to-text model reads for this prompt. */
export function withPrefix(prompt: string): string {
  return prompt.startsWith(prefix.value.trim()) ? prompt : prefix.value + prompt;
}

/** Only what was filled in and has a meaning for this model; ranges are checked by the library, which names what it refuses. */
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
