/** What this page can do of what an error suggests, as buttons. An action that only a command line can do gets none. */
import { parseModelSpec, SpellError } from "../src/browser/index.ts";
import { nameOfDevice } from "./devices.ts";
import type { NextStep } from "./problem.ts";

export interface PageActions {
  /** @returns what opens an installed model; undefined for any other */
  opener(model: string): (() => void) | undefined;
  pull(model: string): void;
  lookUp(model: string): void;
  /** Puts the keyboard into the search box. */
  changeName(): void;
  showStored(): void;
  showCatalogue(): void;
  showDevices(): void;
  /** Loads the chosen model again, on this device. */
  takeDevice(device: "webgpu" | "wasm"): void;
}

/** @returns the most useful first, each once */
export function stepsOfActions(error: unknown, page: PageActions): readonly NextStep[] {
  const actions = error instanceof SpellError ? error.actions : [];
  return uniqueSteps(actions.map((action) => stepOf(action, page)).filter((step) => step !== undefined));
}

/** Of two buttons with the same words the first stays. */
export function uniqueSteps(steps: readonly NextStep[]): readonly NextStep[] {
  return steps.filter(({ label }, at) => steps.findIndex((other) => other.label === label) === at);
}

function stepOf(action: SpellError["actions"][number], page: PageActions): NextStep | undefined {
  switch (action.kind) {
    case "run": {
      const device = deviceInPage(action.device);
      if (device !== undefined) return { label: `Use ${nameOfDevice(device)}`, run: () => page.takeDevice(device) };
      const open = page.opener(action.model);
      if (open !== undefined) return { label: `Open ${action.model}`, run: open };
      return isForPage(action.model) ? { label: `Look up ${action.model}`, run: () => page.lookUp(action.model) } : undefined;
    }
    case "pull":
      if (!isForPage(action.model)) return undefined;
      return { label: `Pull ${action.model}`, run: () => page.pull(action.model) };
    case "info":
      return { label: `Look up ${action.model}`, run: () => page.lookUp(action.model) };
    case "list":
    case "prune":
      return { label: "Show stored models", run: page.showStored };
    case "available":
      return { label: "Show the catalogue", run: page.showCatalogue };
    case "help-names":
      return { label: "Change the name", run: page.changeName };
    case "diagnose":
      return { label: "Show devices", run: page.showDevices };
    default:
      return undefined;
  }
}

/** A page pulls from the catalogue and the net: no paths, no models of a server. */
function isForPage(model: string): boolean {
  try {
    const spec = parseModelSpec(model);
    return spec.kind !== "path" && (spec.backend ?? "candle") === "candle";
  } catch {
    return false;
  }
}

/** A page computes on the processor in WebAssembly. */
function deviceInPage(device: string | undefined): "webgpu" | "wasm" | undefined {
  if (device === "webgpu") return "webgpu";
  return device === "cpu" || device === "wasm" ? "wasm" : undefined;
}
