/** The catalogue of the library: models by name, what they are for, how large they are, and whether they are here. */
import type { AvailableModel, LocalLlm } from "../src/browser/index.ts";
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

/** The recommended ones first, and alone until somebody asks for all. */
export async function showCatalogue(llm: LocalLlm, actions: CatalogueActions): Promise<void> {
  const all = (await llm.available({ backend: "candle" })).filter(({ source }) => source !== "bundled");
  const first = all.filter(({ recommended, installed }) => recommended || installed);
  const shown = isWhole ? [...first, ...all.filter((model) => !first.includes(model))] : first;
  list.replaceChildren(...shown.map((model) => entry(model, actions)));
  more.hidden = isWhole || first.length === all.length;
  more.textContent = `Show all ${all.length}`;
  more.onclick = () => {
    isWhole = true;
    // the first of those that come now takes the focus from the button that goes
    void showCatalogue(llm, actions).then(() => list.children[first.length]?.querySelector("button")?.focus());
  };
}

function entry({ name, description, kind, size_bytes, license, installed }: AvailableModel, actions: CatalogueActions) {
  const facts = [...(size_bytes === null ? [] : [formatBytes(size_bytes)]), kinds[kind], ...(license === null ? [] : [license])];
  return make(
    "li",
    {},
    make(
      "div",
      { class: "what" },
      make("p", { class: "name", text: name }),
      make("p", { text: description }),
      make("p", { class: "note", text: `${installed ? "is here · " : ""}${facts.join(" · ")}` }),
    ),
    installed
      ? named(
          button("Open", () => actions.open(name)),
          `Open ${name}`,
        )
      : named(
          button("Pull", () => actions.pull(name)),
          `Pull ${name}`,
        ),
  );
}
