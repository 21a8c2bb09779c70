/** The card of an error: what happened, what to do, and a button that does it. */
import { SpellError } from "../src/browser/index.ts";
import { button, find, make } from "./elements.ts";

const card = find("problem", HTMLDivElement);

export interface NextStep {
  readonly label: string;
  readonly run: () => void;
}

/** An answer somebody stopped is no problem. */
export function isAbort(error: unknown): boolean {
  return error instanceof SpellError && error.code === "run-aborted";
}

export function showProblem(error: unknown, steps: readonly NextStep[] = []): void {
  const spell =
    error instanceof SpellError ? error : new SpellError("internal-error", error instanceof Error ? error.message : String(error));
  const buttons = steps.map(({ label, run }) =>
    button(label, () => {
      hideProblem();
      run();
    }),
  );
  card.replaceChildren(
    make("p", { class: "message", text: spell.message }),
    // The library speaks of its command line here and there; the page has buttons for that.
    make("p", { class: "hint", text: spell.hint }),
    make("p", { class: "code" }, make("code", { text: spell.code })),
    make("div", { class: "buttons" }, ...buttons, button("Dismiss", hideProblem)),
  );
  card.hidden = false;
  card.scrollIntoView({ block: "nearest" });
}

export function hideProblem(): void {
  card.hidden = true;
  card.replaceChildren();
}
