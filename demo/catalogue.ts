/** The catalogue of the library: models by name, what they are for, how large they are, and whether they are here. */
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
};

let isWhole = false;

/** From here on a person should know what it takes before pressing a button. */
const largeBytes = 1e9;

/**
 * The recommended ones first, and alone until somebody asks for all.
 * @param space what this browser still allows; undefined where it keeps nothing
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
    // the first of those that come now takes the focus from the button that goes
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
      make("p", { class: "note", text: `${installed ? "is here · " : ""}${facts.join(" · ")}` }),
      ...(note === undefined ? [] : [make("p", { class: "note large", text: note })]),
    ),
    ...(obstacle?.isFinal === true ? [] : [named(control, `${installed ? "Open" : "Pull"} ${name}`)]),
  );
}

/** What stands between a person and this model, as far as its size says: sizes of the catalogue are rounded, the look-up knows better. */
function obstacleOf(
  { sizeBytes: bytes, kind }: AvailableModel,
  space: StoreSpace | undefined,
): { readonly text: string; readonly isFinal: boolean } | undefined {
  if (bytes === null) return undefined;
  const most = kind === "text2text" ? largestModel().t5 : largestModel().gguf;
  if (bytes > most) {
    return { text: `Too large for a page, which holds ${formatBytes(most)} at most. Under Node the same library runs it.`, isFinal: true };
  }
  if (space !== undefined && bytes > space.free) {
    return { text: `This browser keeps ${formatBytes(space.free)} more; it would not fit.`, isFinal: false };
  }
  return bytes < largeBytes
    ? undefined
    : { text: `Large: it takes ${formatBytes(bytes)} of storage, and of memory while it runs.`, isFinal: false };
}
