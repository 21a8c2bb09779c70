/** Every global of a script, by name. */
import type { Agents } from "../../agents/agents.ts";
import type { Spell } from "../../api/spell.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import type { ScriptFiles } from "../../platform.ts";
import type { State } from "../../state/state.ts";
import type { ScriptGlobals } from "../bind.ts";
import type { ScriptEngine } from "../protocol.ts";

/** What globals act on. */
export interface GlobalsHost {
  readonly spell: Spell;
  readonly resolved: ResolvedConfig;
  readonly agents: Agents;
  readonly state: State;
  readonly engine: ScriptEngine;
  readonly files?: ScriptFiles | undefined;
  readonly readLine?: (() => Promise<string | undefined>) | undefined;
  /** aborted when the run is over */
  readonly signal: AbortSignal;
}

export function scriptGlobals(_host: GlobalsHost): ScriptGlobals {
  return { globals: {}, classes: {} };
}
