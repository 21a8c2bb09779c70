/** Repositories of the hub, while their name is typed: those that hold what this page runs, the most fetched first. */
import type { Platform } from "../src/browser/index.ts";
import { realClock } from "../src/core/download/clock.ts";
import { button, find, make } from "./elements.ts";
import { isAbort } from "./problem.ts";
import { hubToken } from "./token.ts";

const box = find("repository", HTMLInputElement);
const list = find("repositories", HTMLDivElement);

/** A pause in typing. */
const pauseMs = 300;
const leastLength = 2;
/** Tags of the hub: one for each kind of model, since a list holds what has all tags that are asked for. */
const kinds = ["gguf", "t5"] as const;
const mostOfKind = 6;
const repositoryForm = /^[\w.-]{1,96}\/[\w.-]{1,96}$/;

interface Repository {
  readonly id: string;
  readonly kind: (typeof kinds)[number];
  readonly downloads: number | undefined;
}

/** @param hub address of the hub @param choose called with OWNER/REPO */
export function buildHubSearch({ fetch, now }: Platform, hub: string, choose: (id: string) => void): void {
  let asking = new AbortController();

  async function search(text: string, signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (signal.aborted) return;
    try {
      const { askJson } = await import("../src/core/download/json-request.ts");
      const secret = hubToken();
      const found = await Promise.all(
        kinds.map(async (kind) => {
          const query = new URLSearchParams({ search: text, filter: kind, sort: "downloads", limit: String(mostOfKind) });
          const { value, fail } = await askJson(
            `${hub.replace(/\/+$/, "")}/api/models?${query}`,
            { fetch, clock: realClock(now) },
            { what: `search for "${text}"`, isTrusted: true, secret: secret && `Bearer ${secret}`, signal },
          );
          if (!Array.isArray(value)) throw fail("expected a list");
          return value.slice(0, mostOfKind).flatMap((entry: unknown) => readRepository(entry, kind));
        }),
      );
      if (!signal.aborted) show(found.flat());
    } catch (error) {
      if (!signal.aborted && !isAbort(error))
        list.replaceChildren(make("p", { class: "note", text: error instanceof Error ? error.message : String(error) }));
    } finally {
      if (!signal.aborted) list.removeAttribute("aria-busy");
    }
  }

  function show(found: readonly Repository[]): void {
    const rows = found.map(({ id, kind, downloads }) => {
      const row = button(id, () => {
        list.replaceChildren();
        choose(id);
      });
      const fetched = downloads === undefined ? "" : ` · ${downloads.toLocaleString("en-US")} downloads`;
      row.append(make("span", { class: "note", text: `${kind.toUpperCase()}${fetched}` }));
      return make("li", {}, row);
    });
    list.replaceChildren(
      rows.length === 0
        ? make("p", { class: "note", text: "No repository of that name holds GGUF or T5." })
        : make("ul", { attributes: { "aria-label": "Repositories" } }, ...rows),
    );
  }

  box.addEventListener("input", () => {
    asking.abort();
    const text = box.value.trim();
    // a variant, a revision, an address: the name is known already
    if (text.length < leastLength || /[:#@\s]/.test(text)) {
      list.replaceChildren();
      list.removeAttribute("aria-busy");
      return;
    }
    asking = new AbortController();
    list.setAttribute("aria-busy", "true");
    void search(text, asking.signal);
  });
  box.form?.addEventListener("submit", () => {
    asking.abort();
    list.replaceChildren();
    list.removeAttribute("aria-busy");
  });
}

/** @returns nothing for what is no name: it comes from the network */
function readRepository(entry: unknown, kind: Repository["kind"]): readonly Repository[] {
  const { id, downloads } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || !repositoryForm.test(id)) return [];
  return [{ id, kind, downloads: Number.isSafeInteger(downloads) ? (downloads as number) : undefined }];
}
