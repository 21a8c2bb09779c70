/** The search box: the files that a pull of a repository would fetch, their sizes and the variants, before anything is fetched. */
import {
  type ModelInfo,
  type Models,
  type PlannedFile,
  type PullOffer,
  parseModelSpec,
  printModelSpec,
  type StoreSpace,
} from "../src/browser/index.ts";
import { nameOfDevice } from "./devices.ts";
import { button, complain, find, make, named } from "./elements.ts";
import { formatBytes, plural } from "./format.ts";
import { isAbort } from "./problem.ts";

export interface LookUpOptions {
  readonly models: Models;
  space(): Promise<StoreSpace | undefined>;
  pull(id: string): void;
  /** Called before a look-up; clears an older problem. */
  onStart(): void;
  onProblem(error: unknown, spec: string): void;
}

const form = find("look-up", HTMLFormElement);
const box = find("repository", HTMLInputElement);
const found = find("found", HTMLDivElement);
const status = find("pull-status", HTMLParagraphElement);

/** @returns a function that looks up a spec as if it had been typed */
export function buildLookUp({ models, space, pull, onStart, onProblem }: LookUpOptions): (spec: string) => void {
  let asking: AbortController | undefined;

  async function lookUp(spec: string): Promise<void> {
    asking?.abort();
    const controller = new AbortController();
    asking = controller;
    onStart();
    found.hidden = false;
    found.setAttribute("aria-busy", "true");
    if (found.childElementCount === 0) found.replaceChildren(make("p", { class: "note", text: `Looking up ${spec} …` }));
    try {
      const planned = await models.offer(spec, { signal: controller.signal });
      const room = await space();
      if (asking === controller) show(planned, room);
    } catch (error) {
      if (asking !== controller || isAbort(error)) return;
      clearFound();
      onProblem(error, spec);
    } finally {
      if (asking === controller) found.removeAttribute("aria-busy");
    }
  }

  function show({ id, plan, sizeBytes, missingBytes }: PullOffer, room: StoreSpace | undefined): void {
    const files = plan?.files ?? [];
    const facts = [plan?.license, plan?.revision?.slice(0, 7)].filter((fact) => fact !== undefined);
    const size = sizeBytes === undefined ? "size unknown" : formatBytes(sizeBytes);
    const isHere = missingBytes === 0;
    const free = room === undefined || isHere ? "" : `; ${formatBytes(room.free)} free in this browser`;
    const hadFocus = found.contains(document.activeElement);
    found.replaceChildren(
      make(
        "p",
        {},
        make("span", { class: "name", text: plan?.source.replace(/^hf:/, "") ?? id }),
        make("span", { class: "note", text: facts.join(" · ") }),
      ),
      ...variantField(id, plan?.variants ?? []),
      make("ul", { class: "files", attributes: { "aria-label": "Files" } }, ...files.map(fileRow)),
      make(
        "div",
        { class: "actions" },
        named(
          button("Pull", () => pull(id), "primary"),
          `Pull ${id}`,
        ),
        button("Will it run here?", () => void lookAhead(id)),
        make("p", { class: "note", text: isHere ? `${size}, stored already` : `${plural(files.length, "file")}, ${size}${free}` }),
      ),
    );
    if (hadFocus) found.querySelector("select")?.focus();
    status.textContent = `${id}: ${plural(files.length, "file")}, ${size}`;
  }

  /** Reads the headers of the files by ranges: some megabytes, so only on request. */
  async function lookAhead(id: string): Promise<void> {
    const ours = asking;
    const note = found.querySelector(".ahead") ?? make("div", { class: "ahead", attributes: { role: "status" } });
    found.append(note);
    note.textContent = "Reading the headers …";
    try {
      const info = await models.info(id, { remote: true, signal: ours?.signal });
      const { answer, because } = answerOf(info);
      note.replaceChildren(
        make("p", { class: "answer", text: answer }),
        make("p", { class: "note", text: factsOf(info) }),
        ...because.map((text) => make("p", { class: "note", text })),
      );
    } catch (error) {
      note.remove();
      if (!isAbort(error)) onProblem(error, id);
    }
  }

  function variantField(id: string, variants: readonly { readonly name: string; readonly sizeBytes: number }[]): readonly HTMLElement[] {
    if (variants.length === 0) return [];
    const select = make("select", { attributes: { id: "variant" } });
    const spec = parseModelSpec(id);
    const chosen = "variant" in spec ? spec.variant : undefined;
    for (const { name, sizeBytes } of variants) {
      const option = make("option", { text: `${name}, ${formatBytes(sizeBytes)}`, attributes: { value: name } });
      option.selected = name === chosen;
      select.append(option);
    }
    select.addEventListener("change", () => void lookUp(withVariant(id, select.value)));
    return [make("div", { class: "field" }, make("label", { text: "Variant", attributes: { for: "variant" } }), select)];
  }

  function clearFound(): void {
    found.replaceChildren();
    found.hidden = true;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    onStart();
    clearFound();
    if (text === "" || isNoName(text)) {
      asking?.abort();
      complain(box, "Expected a name such as qwen, or OWNER/REPO, without spaces.");
      return;
    }
    void lookUp(specOf(text));
  });
  return (spec) => {
    box.value = spec;
    box.setCustomValidity("");
    void lookUp(spec);
  };
}

/** Only addresses, and files of a repository, have spaces. */
function isNoName(text: string): boolean {
  return /\s/.test(text) && !/^(https?:\/\/|hf:.*\.gguf$)/i.test(text);
}

/** `owner/repo` means a Hugging Face repository; every other form of a model's name stays as it is. */
function specOf(text: string): string {
  return /^[^\s/:@]+\/[^\s/]+$/.test(text) ? `hf:${text}` : text;
}

/** @returns the spec of another form of the same model */
export function withVariant(id: string, variant: string): string {
  const spec = parseModelSpec(id);
  return spec.kind === "hf" || spec.kind === "name" ? printModelSpec({ ...spec, variant }) : id;
}

/** @param file at the top of the repository @returns its spec, whatever variant the other one names */
export function withFile(id: string, file: string): string {
  const spec = parseModelSpec(id);
  return spec.kind === "hf" ? printModelSpec({ ...spec, variant: undefined, file }) : id;
}

/** @returns one sentence, and why each device before the chosen one is not used */
function answerOf({ device, fits }: ModelInfo): { readonly answer: string; readonly because: readonly string[] } {
  const chosen = device?.chosen;
  const refused = device?.tried.filter((attempt) => !attempt.ok) ?? [];
  const because = refused.map(({ device: name, hint, reason }) => `Not on ${nameOfDevice(name)}: ${hint ?? reason}.`);
  if (chosen === undefined || fits?.ok === false) return { answer: "No, not in this browser.", because };
  const memory = fits === null ? "" : `; it needs about ${formatBytes(fits.neededBytes)} of memory`;
  return { answer: `Yes, on ${nameOfDevice(chosen)}${memory}.`, because };
}

function factsOf({ architecture, contextLength, capabilities }: ModelInfo): string {
  const does = capabilities.includes("chat")
    ? "answers in a conversation"
    : capabilities.includes("text-to-text")
      ? "rewrites a text"
      : "continues a text";
  return [architecture, does, ...(contextLength === null ? [] : [`${contextLength.toLocaleString("en-US")} tokens`])].join(" · ");
}

function fileRow(file: PlannedFile): HTMLElement {
  const [path, size] = file.kind === "remote" ? [file.remote.path, file.remote.size] : [file.external.path, file.external.source.size];
  return make(
    "li",
    {},
    make("span", { text: path }),
    make("span", { class: "size", text: size === undefined ? "size unknown" : formatBytes(size) }),
  );
}
