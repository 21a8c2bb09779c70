/** Problems of a look-up or a pull, with hints and buttons of this page. */
import { type ErrorCode, SpellError } from "../src/browser/index.ts";
import { type PageActions, stepsOfActions, uniqueSteps } from "./actions.ts";
import { withFile, withVariant } from "./look-up.ts";
import { type NextStep, showProblem } from "./problem.ts";

export interface PullProblemActions {
  /** the part of the page it happened in */
  readonly place: Element;
  readonly page: PageActions;
  /** Puts the keyboard into the field of the token. */
  askForToken(): void;
  /** Does again what failed. */
  again(): void;
}

const goesOn = "Resume continues where it stopped.";
const hints: Partial<Readonly<Record<ErrorCode, string>>> = {
  "spec-syntax": "Write OWNER/REPO, the end of the repository's address on huggingface.co.",
  "model-unknown": "For a repository write OWNER/REPO; a name without a slash is looked up in the catalogue.",
  "net-gated": "Accept the terms on its page, then enter your token. You can also download the file there and use Load file.",
  "net-auth": "Check owner and name. A private repository needs your token.",
  "net-not-found": "Check owner, name and revision.",
  "net-offline": "Check the network. Stored models work without it.",
  "net-timeout": goesOn,
  "net-stall": goesOn,
  "net-reset": goesOn,
  "net-rate": "Wait a while; Resume then continues where it stopped.",
  "store-quota": "Delete a stored model to make room. The partial download is kept.",
  "store-full": "Delete a stored model, or free some space on the disk. The partial download is kept.",
};

/** At most this many files of a repository get a button. */
const mostOffers = 6;

export function showPullProblem(error: unknown, spec: string, actions: PullProblemActions): void {
  const code = error instanceof SpellError ? error.code : undefined;
  // to pull this model again is "Try again"
  const suggested = stepsOfActions(error, actions.page).filter(({ label }) => label !== `Pull ${spec}`);
  const steps = uniqueSteps([...stepsOf(error, spec, actions), ...suggested]);
  showProblem(error, steps, { hint: code === undefined ? undefined : hints[code], after: actions.place });
}

function stepsOf(error: unknown, spec: string, { page, askForToken, again }: PullProblemActions): readonly NextStep[] {
  const change: NextStep = { label: "Change the name", run: page.changeName };
  const token: NextStep = { label: "Enter a token", run: askForToken };
  const { code, details } = error instanceof SpellError ? error : {};
  switch (code) {
    case "model-ambiguous":
    case "model-variant-unknown": {
      const variants = textsOf(details?.["variants"]).map((name) => ({ name, spec: withVariant(spec, name) }));
      const files = textsOf(details?.["files"])
        .filter((name) => !name.includes("/")) // those have addresses
        .map((name) => ({ name, spec: withFile(spec, name) }));
      const offers = variants.length > 0 ? variants : files;
      return [...offers.slice(0, mostOffers).map(({ name, spec: other }) => ({ label: name, run: () => page.lookUp(other) })), change];
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
      return [{ label: "Show stored models", run: page.showStored }];
    default:
      return [{ label: "Try again", run: again }];
  }
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}
