/** All globals of a run that the host answers. JSON, Streaming, ARGS, print, console and timers are in the guests. */

import { createAgents } from "../../agents/agents.ts";
import { createState } from "../../state/state.ts";
import type { ScriptGlobals } from "../bind.ts";
import { agentBuilderClass, agentClass, agentGlobal } from "./agent.ts";
import { configGlobal } from "./config.ts";
import { debugGlobal, debugTimerClass } from "./debug.ts";
import { createRun, permitModel, permitProvider, type ScriptHost } from "./host.ts";
import { localLlmGlobal } from "./local-llm.ts";
import { loggerGlobal } from "./logger.ts";
import { providerGlobal } from "./provider.ts";
import { stateGlobal } from "./state.ts";
import { utilsGlobal } from "./utils.ts";

export interface OpenGlobals extends ScriptGlobals {
  /** Gives back what the run alone used. */
  close(): Promise<void>;
}

/** Starts and asks nothing. */
export function scriptGlobals(host: ScriptHost): OpenGlobals {
  const run = createRun(host);
  const agents = createAgents({
    get spell() {
      return run.spell;
    },
    get config() {
      return run.config;
    },
    signal: host.signal,
    onText: host.onText,
    onAnswer: ({ device }) => host.onDevice?.(device),
    wrap: host.wrap,
    permit: (model) => permitModel(model, run),
    permitProvider: (provider) => permitProvider(provider, run),
  });
  const state = createState(host.config.config.runtime.state_persistence, host.spell.platform);
  return {
    globals: {
      LocalLLM: localLlmGlobal(run),
      Agent: agentGlobal(run, agents),
      Provider: providerGlobal(run),
      Config: configGlobal(run),
      Logger: loggerGlobal(run),
      Debug: debugGlobal(run),
      Utils: utilsGlobal(run),
      State: stateGlobal(state),
    },
    classes: {
      AgentBuilder: agentBuilderClass,
      Agent: agentClass,
      DebugTimer: debugTimerClass,
    },
    async close() {
      await Promise.all([agents.dispose(), state.close()]);
      await run.close();
    },
  };
}
