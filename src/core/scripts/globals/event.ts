/** `Event` and `Hook`: what happens in a script, and functions that may change it. */
import type { Events, SpellEvent } from "../../events/events.ts";
import { type HookData, type Hooks, hookPoints, hookPriorities } from "../../events/hooks.ts";
import { definedOnly } from "../../values.ts";
import { type CallKept, instance, integer, kept, number, oneOf, optional, options, data as plainData, text } from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions, waits } from "../bind.ts";
import type { ScriptRun } from "./host.ts";

export function eventGlobal(run: ScriptRun, events: Events): ScriptFunctions {
  const id = text("subscription");
  return {
    publish: now(
      [
        text("type"),
        optional(plainData("data")),
        optional(options("options", [optional(text("language")), optional(text("correlation_id")), optional(number("ttl_seconds", 0))])),
      ],
      (type, data, given) => {
        const { language = run.language, correlation_id: correlationId, ttl_seconds: ttlSeconds } = given ?? {};
        return events.publish(type, data, { language, correlationId, ttlSeconds });
      },
    ),
    subscribe: now([text("pattern")], (pattern) => events.subscribe(pattern)),
    receive: waits([id, optional(integer("timeout_ms", 0, 86_400_000))], async (subscription, timeoutMs) => {
      const event = await events.receive(subscription, timeoutMs, run.signal);
      return event === undefined ? undefined : shownEvent(event);
    }),
    unsubscribe: now([id], (subscription) => events.unsubscribe(subscription)),
    list_subscriptions: now([], () => events.subscriptions()),
    get_stats: now([], () => events.stats()),
  };
}

/** Names of the script's own data stay as they are. */
function shownEvent({ publishedAt, correlationId, ttlSeconds, ...event }: SpellEvent) {
  return definedOnly({ ...event, published_at: publishedAt, correlation_id: correlationId, ttl_seconds: ttlSeconds });
}

/** A hook that a script registered. */
export class HookHandle {
  readonly id: number;
  readonly unregister: () => boolean;

  constructor(id: number, unregister: () => boolean) {
    this.id = id;
    this.unregister = unregister;
  }
}

const handle = instance("handle", HookHandle, "HookHandle");

export const hookHandleClass: ScriptClass = {
  kind: HookHandle,
  methods: {
    id: now([handle], (self) => self.id),
    unregister: now([handle], (self) => self.unregister()),
  },
};

export function hookGlobal(hooks: Hooks): ScriptFunctions {
  return {
    register: now(
      [text("point"), kept("fn"), optional(oneOf("priority", hookPriorities))],
      (point, fn, priority) => {
        const run = (data: HookData, context: unknown): unknown => {
          const limit = { ms: hooks.timeoutMs, name: `hook ${id} of ${point}`, key: "hooks.timeout_ms" };
          return (context as CallKept | undefined)?.(fn.within(limit), shownData(data));
        };
        const { id } = hooks.register(point, run, priority);
        return new HookHandle(id, () => hooks.unregister(id));
      },
      { keeps: true },
    ),
    list: now(
      [optional(options("filter", [optional(oneOf("point", hookPoints)), optional(oneOf("priority", hookPriorities))]))],
      (filter) => hooks.list(filter ?? {}),
    ),
    unregister: now([handle], (self) => self.unregister()),
  };
}

function shownData({ sessionId, ...data }: HookData) {
  return definedOnly({ ...data, session_id: sessionId });
}
