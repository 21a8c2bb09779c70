/** The catalogue of the library: names of models, their purpose, size, and whether they are installed. */
import { type AvailableModel, largestModel, type Models, type StoreSpace } from "../src/browser/index.ts";
import { button, find, make, named } from "./elements.ts";
import { formatBytes } from "./format.ts";

export interface CatalogueActions {
  pull(name: string): void;
  open(name: string): void;
}

const list = find("catalogue", HTMLUListElement);
const more = find("whole-catalogue", HTMLButtonElement);

const kinds: Readonly<Record<AvailableModel["kind"], string>> = {
  chat: "conversation",
  text2text: "text to text",
  story: "stories",
  embedding: "embeddings",
  reranking: "re-ranking",
};

let isWhole = false;

/** Larger models say what they need before a pull. */
const largeBytes = 1e9;

/**
 * Recommended and installed models first; the others after a click on "Show all".
 * @param space free storage of this browser; undefined if it has none
 */
export async function showCatalogue(llm: Models, space: StoreSpace | undefined, actions: CatalogueActions): Promise<void> {
  const all = (await llm.available({ backend: "candle" })).filter(({ source }) => source !== "bundled");
  const first = all.filter(({ recommended, installed }) => recommended || installed);
  const shown = isWhole ? [...first, ...all.filter((model) => !first.includes(model))] : first;
  list.replaceChildren(...shown.map((model) => entry(model, space, actions)));
  more.hidden = isWhole || first.length === all.length;
  more.textContent = `Show all ${all.length}`;
  more.onclick = () => {
    isWhole = true;
    // the button disappears; the first added model gets its focus
    void showCatalogue(llm, space, actions).then(() => list.children[first.length]?.querySelector("button")?.focus());
  };
}

function entry(model: AvailableModel, space: StoreSpace | undefined, { open, pull }: CatalogueActions): HTMLLIElement {
  const { name, description, kind, sizeBytes, license, installed } = model;
  const facts = [...(sizeBytes === null ? [] : [formatBytes(sizeBytes)]), kinds[kind], ...(license === null ? [] : [license])];
  const obstacle = installed ? undefined : obstacleOf(model, space);
  const note = obstacle?.text;
  const control = installed ? button("Open", () => open(name)) : button("Pull", () => pull(name));
  return make(
    "li",
    {},
    make(
      "div",
      { class: "what" },
      make("p", { class: "name", text: name }),
      make("p", { text: description }),
      make("p", { class: "note", text: `${installed ? "installed · " : ""}${facts.join(" · ")}` }),
      ...(note === undefined ? [] : [make("p", { class: "note large", text: note })]),
    ),
    ...(obstacle?.isFinal === true ? [] : [named(control, `${installed ? "Open" : "Pull"} ${name}`)]),
  );
}

/** Why this model is too large, or a warning that it is large. Sizes of the catalogue are rounded; the look-up has exact ones. */
function obstacleOf(
  { sizeBytes: bytes, kind }: AvailableModel,
  space: StoreSpace | undefined,
): { readonly text: string; readonly isFinal: boolean } | undefined {
  if (bytes === null) return undefined;
  const most = kind === "text2text" ? largestModel().t5 : largestModel().gguf;
  if (bytes > most) {
    return { text: `Too large for a page (at most ${formatBytes(most)}). llmspell runs it in Node.`, isFinal: true };
  }
  if (space !== undefined && bytes > space.free) {
    return { text: `Does not fit: this browser has ${formatBytes(space.free)} of storage left.`, isFinal: false };
  }
  return bytes < largeBytes
    ? undefined
    : { text: `Large: it needs ${formatBytes(bytes)} of storage, and as much memory while it runs.`, isFinal: false };
}
