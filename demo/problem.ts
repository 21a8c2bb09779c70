/** The card of an error: what happened, what to do, and buttons that do it. */
import { SpellError } from "../src/browser/index.ts";
import { button, find, make } from "./elements.ts";

const card = find("problem", HTMLDivElement);
const home = card.previousElementSibling;

export interface NextStep {
  readonly label: string;
  readonly run: () => void;
}

/** A stopped answer is not a problem. */
export function isAbort(error: unknown): boolean {
  return error instanceof SpellError && error.code === "run-aborted";
}

export interface ProblemOptions {
  /** replaces the library's hint where this page has a better one */
  readonly hint?: string | undefined;
  /** the part of the page that failed, if not the model: the card follows it */
  readonly after?: Element;
}

/** What a card says of an error. @param hint in place of the error's own */
export function wordsOfProblem(error: unknown, hint?: string): readonly HTMLElement[] {
  const spell =
    error instanceof SpellError ? error : new SpellError("internal-error", error instanceof Error ? error.message : String(error));
  return [
    make("p", { class: "message", text: spell.message }),
    make("p", { class: "hint", text: hint ?? spell.hint }),
    make("p", { class: "code" }, make("code", { text: spell.code })),
  ];
}

export function showProblem(error: unknown, steps: readonly NextStep[] = [], { hint, after }: ProblemOptions = {}): void {
  const buttons = steps.map(({ label, run }) =>
    button(label, () => {
      hideProblem();
      run();
    }),
  );
  card.replaceChildren(...wordsOfProblem(error, hint), make("div", { class: "buttons" }, ...buttons, button("Dismiss", hideProblem)));
  (after ?? home)?.after(card);
  card.hidden = false;
  card.scrollIntoView({ block: "nearest" });
}

export function hideProblem(): void {
  card.hidden = true;
  card.replaceChildren();
}
