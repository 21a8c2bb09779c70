/** What went wrong with a look-up or a pull, in the terms of this page: it has no command line and no variables. */
import { type ErrorCode, SpellError } from "../src/browser/index.ts";
import { withVariant } from "./look-up.ts";
import { type NextStep, showProblem } from "./problem.ts";

export interface PullProblemActions {
  /** the part of the page it happened in */
  readonly place: Element;
  /** Puts the keyboard into the search box. */
  changeName(): void;
  lookUp(spec: string): void;
  /** Puts the keyboard into the field of the token. */
  askForToken(): void;
  /** Does again what failed. */
  again(): void;
  showStored(): void;
}

const goesOn = "Resume goes on where it stopped.";
const hints: Partial<Readonly<Record<ErrorCode, string>>> = {
  "spec-syntax": "Write OWNER/REPO, as the address of its page on huggingface.co ends.",
  "model-unknown": "For a repository write OWNER/REPO; names without a slash are those of the catalogue.",
  "net-gated":
    "Accept its terms on its page, then give a token of yours. A file that was downloaded there can also be taken with Load file.",
  "net-auth": "Check owner and name. What is private needs a token of yours.",
  "net-not-found": "Check owner, name and revision.",
  "net-offline": "Check the network. Models that are here run without it.",
  "net-timeout": goesOn,
  "net-stall": goesOn,
  "net-reset": goesOn,
  "net-rate": "Wait a while; then Resume goes on where it stopped.",
  "store-quota": "Delete a stored model to make room; what came so far is kept.",
  "store-full": "Delete a stored model, or free some room on the disk; what came so far is kept.",
};

/** Files of a repository that are offered one by one. */
const mostOffers = 6;

export function showPullProblem(error: unknown, spec: string, actions: PullProblemActions): void {
  const code = error instanceof SpellError ? error.code : undefined;
  showProblem(error, stepsOf(error, spec, actions), { hint: code === undefined ? undefined : hints[code], after: actions.place });
}

function stepsOf(
  error: unknown,
  spec: string,
  { changeName, lookUp, askForToken, again, showStored }: PullProblemActions,
): readonly NextStep[] {
  const change: NextStep = { label: "Change the name", run: changeName };
  const token: NextStep = { label: "Give a token", run: askForToken };
  const { code, details } = error instanceof SpellError ? error : {};
  switch (code) {
    case "model-ambiguous":
    case "model-variant-unknown": {
      const variants = textsOf(details?.["variants"]).map((name) => ({ name, spec: withVariant(spec, name) }));
      const files = textsOf(details?.["files"]).map((name) => ({ name, spec: `${spec}/${name}` }));
      const offers = variants.length > 0 ? variants : files;
      return [...offers.slice(0, mostOffers).map(({ name, spec: other }) => ({ label: name, run: () => lookUp(other) })), change];
    }
    case "net-gated": {
      const page = details?.["page"];
      const isPage = typeof page === "string" && /^https?:/.test(page);
      const open: readonly NextStep[] = isPage
        ? [{ label: "Open its page", run: () => void window.open(page, "_blank", "noopener,noreferrer") }]
        : [];
      return [...open, token, change];
    }
    case "net-auth":
      return [change, token];
    case "spec-syntax":
    case "spec-host":
    case "model-unknown":
    case "model-layout":
    case "net-not-found":
      return [change];
    case "store-quota":
    case "store-full":
      return [{ label: "Show stored models", run: showStored }];
    default:
      return [{ label: "Try again", run: again }];
  }
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}
