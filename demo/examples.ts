/** Prompts to begin with: what the chosen model was made for. */
import type { AvailableModel, Models } from "../src/browser/index.ts";
import type { Layout } from "./answer.ts";
import { button, find } from "./elements.ts";

const row = find("suggestions", HTMLDivElement);

const bundled: Readonly<Record<string, readonly string[]>> = {
  "bundled:tiny-stories": ["Once upon a time, there was a little dragon", "Lily found a red box in the garden.", "One rainy day, Tom"],
  "bundled:tiny-t5-en-fr": ["Where is the train station?", "I would like a cup of coffee.", "The cat is sleeping on the bed."],
};
const questions = ["Explain to a child why the sky is blue.", "Write a short poem about the sea.", "Name five uses of an old newspaper."];

/**
 * @param ask called with the example that was clicked
 * @returns shows those of a choice; also puts the first into the prompt, unless it is a question or somebody typed there
 */
export function buildExamples(
  models: Models,
  prompt: HTMLTextAreaElement,
  ask: (text: string) => void,
): (key: string, layout?: Layout) => void {
  /** What this page put into the prompt itself. */
  const ours = new Set([""]);
  let latest = 0;

  function show(all: readonly string[], layout: Layout | undefined): void {
    const example = (text: string): HTMLButtonElement =>
      button(
        text,
        () => {
          prompt.value = text;
          ask(text);
        },
        "suggestion",
      );
    row.replaceChildren(...all.map(example));
    if (ours.has(prompt.value)) prompt.value = layout === "chat" ? "" : (all[0] ?? "");
    for (const text of all) ours.add(text);
  }

  return (key, layout) => {
    latest += 1;
    const turn = latest;
    show(bundled[key] ?? (layout === "chat" ? questions : []), layout);
    if (!key.startsWith("stored:") || layout === "chat") return;
    void models.available({ backend: "candle" }).then((all) => {
      if (turn === latest) show(promptsOf(key, all), layout);
    });
  };
}

/** @param key of a stored model of the catalogue, whatever its variant */
function promptsOf(key: string, all: readonly AvailableModel[]): readonly string[] {
  const id = key.replace(/^stored:/, "");
  const found = all.find(({ name, source }) => [name, source].some((start) => id === start || id.startsWith(`${start}:`)));
  return found?.kind === "chat" || typeof found?.prompt !== "string" ? [] : [found.prompt];
}
