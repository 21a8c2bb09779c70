/** All globals of a run that the host answers. JSON, Streaming, ARGS, print, console and timers are in the guests. */

import { type AgentHost, createAgents } from "../../agents/agents.ts";
import { createEvents } from "../../events/events.ts";
import { createHooks } from "../../events/hooks.ts";
import { createWatcher, type Recorder } from "../../events/watch.ts";
import { createSessions, type Sessions } from "../../sessions/sessions.ts";
import { createState } from "../../state/state.ts";
import { toolNames } from "../../toolbox/names.ts";
import { createToolbox } from "../../toolbox/toolbox.ts";
import type { ScriptGlobals } from "../bind.ts";
import { agentBuilderClass, agentClass, agentGlobal, askAgents } from "./agent.ts";
import { configGlobal } from "./config.ts";
import { debugGlobal, debugTimerClass } from "./debug.ts";
import { eventGlobal, hookGlobal, hookHandleClass } from "./event.ts";
import { createRun, permitModel, permitProvider, type ScriptHost } from "./host.ts";
import { localLlmGlobal } from "./local-llm.ts";
import { loggerGlobal } from "./logger.ts";
import { providerGlobal } from "./provider.ts";
import { ragGlobal } from "./rag.ts";
import { replayComparatorClass, replayGlobal } from "./replay.ts";
import { artifactGlobal, sessionBuilderClass, sessionGlobal } from "./session.ts";
import { stateGlobal } from "./state.ts";
import { toolGlobal } from "./tool.ts";
import { utilsGlobal } from "./utils.ts";
import { workflowBuilderClass, workflowClass, workflowGlobal, workflowsOf } from "./workflow.ts";

export interface OpenGlobals extends ScriptGlobals {
  /** Gives back what the run alone used. */
  close(): Promise<void>;
}

/** Starts and asks nothing. */
export function scriptGlobals(host: ScriptHost): OpenGlobals {
  const run = createRun(host);
  const { platform } = host.spell;
  const { events: eventSettings, hooks: hookSettings } = host.config.config;
  const { now } = platform;
  const { log } = host;
  const hooks = createHooks(hookSettings, { now, log });
  const events = createEvents(eventSettings, { now, isHeld: () => watcher.isInHook });
  const sessions = createSessions(host.config.config, platform);
  /** Of what the configuration lets the run itself publish. */
  const emit = (key: "emit_timing_events" | "emit_state_events" | "emit_debug_events") =>
    eventSettings.enabled && eventSettings[key] ? events : undefined;
  const timing = emit("emit_timing_events");
  const watcher = createWatcher({
    hooks,
    now,
    log,
    onTiming: timing === undefined ? undefined : (type, data) => timing.publish(type, data),
    record: recordIn(sessions),
    onRelease: events.release,
  });
  const toolbox = createToolbox({
    platform,
    config: () => run.config,
    folder: host.folder,
    signal: host.signal,
  });
  const agentHost: AgentHost = {
    get spell() {
      return run.spell;
    },
    get config() {
      return run.config;
    },
    watchTool: (name, input, context, call) => watcher.watch({ kind: "tool", name, input, context }, call),
    toolbox,
    signal: host.signal,
    onText: host.onText,
    onAnswer: ({ device }) => host.onDevice?.(device),
    wrap: host.wrap,
    permit: (model) => permitModel(model, run),
    permitProvider: (provider) => permitProvider(provider, run),
  };
  const agents = createAgents(agentHost);
  const ask = askAgents(watcher, agents);
  const workflows = workflowsOf(run, toolbox, agents, watcher.watch, ask);
  const debugEvents = emit("emit_debug_events");
  const state = createState(host.config.config, platform);
  const rag = ragGlobal(run);
  return {
    globals: {
      LocalLLM: localLlmGlobal(run),
      Agent: agentGlobal(run, agents),
      Provider: providerGlobal(run),
      Config: configGlobal(run),
      Logger: loggerGlobal(run),
      Debug: debugGlobal(
        run,
        debugEvents === undefined
          ? undefined
          : ({ level, data: _, timestamp: __, ...entry }) => debugEvents.publish(`debug.${level}`, entry),
      ),
      Utils: utilsGlobal(run),
      State: stateGlobal(state, emit("emit_state_events")),
      Session: sessionGlobal(run, sessions, agentHost, toolbox),
      Artifact: artifactGlobal(run, sessions),
      RAG: rag.functions,
      Event: eventGlobal(run, events),
      Hook: hookGlobal(hooks),
      Replay: replayGlobal(),
      Tool: toolGlobal(toolbox, watcher.watch),
      Workflow: workflowGlobal(workflows),
    },
    named: { Tool: { call: "execute", get: "get", names: toolNames } },
    classes: {
      AgentBuilder: agentBuilderClass(watcher),
      Agent: agentClass(watcher, ask),
      DebugTimer: debugTimerClass,
      SessionBuilder: sessionBuilderClass,
      HookHandle: hookHandleClass,
      ReplayComparator: replayComparatorClass,
      WorkflowBuilder: workflowBuilderClass,
      Workflow: workflowClass,
    },
    async close() {
      await Promise.all([toolbox.close(), agents.dispose(), state.close(), sessions.close(), rag.close()]);
      await run.close();
    },
  };
}

/** Calls go into the current session; one that has ended since is none. */
function recordIn(sessions: Sessions) {
  return async (kind: "agent" | "tool", name: string) => {
    const { current } = sessions;
    if (current === undefined) return undefined;
    const { call, end } = await sessions.calls.begin(current);
    return { call, sessionId: current, end: (record: Parameters<Recorder["end"]>[0]) => end({ kind, name, ...record }) };
  };
}
