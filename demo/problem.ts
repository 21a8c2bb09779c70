/** The card of an error: what happened, what to do, and a button that does it. */
import { SpellError } from "../src/browser/index.ts";
import { button, find, make } from "./elements.ts";

const card = find("problem", HTMLDivElement);
const home = card.previousElementSibling;

export interface NextStep {
  readonly label: string;
  readonly run: () => void;
}

/** An answer somebody stopped is no problem. */
export function isAbort(error: unknown): boolean {
  return error instanceof SpellError && error.code === "run-aborted";
}

export interface ProblemOptions {
  /** what this page has to offer, where the library's own hint speaks of its command line */
  readonly hint?: string | undefined;
  /** what went wrong, where that is not the model itself: the card follows it */
  readonly after?: Element;
}

export function showProblem(error: unknown, steps: readonly NextStep[] = [], { hint, after }: ProblemOptions = {}): void {
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
    make("p", { class: "hint", text: hint ?? spell.hint }),
    make("p", { class: "code" }, make("code", { text: spell.code })),
    make("div", { class: "buttons" }, ...buttons, button("Dismiss", hideProblem)),
  );
  (after ?? home)?.after(card);
  card.hidden = false;
  card.scrollIntoView({ block: "nearest" });
}

export function hideProblem(): void {
  card.hidden = true;
  card.replaceChildren();
}
