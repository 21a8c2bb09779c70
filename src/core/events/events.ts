/** Events of one script: published by type, received from bounded queues by pattern. They end with the script. */

import { bucket } from "../bucket.ts";
import type { Config } from "../config/config.generated.ts";
import { switchOn } from "../config/switch-on.ts";
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { fitsType } from "../wildcard.ts";

export interface EventOptions {
  /** of the one who publishes: "lua", "javascript" */
  readonly language?: string | undefined;
  /** what belongs together */
  readonly correlationId?: string | undefined;
  /** seconds after which nobody receives it any more; default: none */
  readonly ttlSeconds?: number | undefined;
}

export interface SpellEvent extends EventOptions {
  /** from 1, in the order of publication */
  readonly id: number;
  readonly type: string;
  /** a copy for each receiver */
  readonly data: unknown;
  /** ISO 8601 in UTC */
  readonly publishedAt: string;
}

export interface SubscriptionFacts {
  readonly id: string;
  readonly pattern: string;
  /** events that wait */
  readonly waiting: number;
  /** events that were lost because the queue was full */
  readonly dropped: number;
}

export interface EventStats {
  readonly published: number;
  /** more than `events.max_events_per_second` */
  readonly refused: number;
  readonly received: number;
  readonly dropped: number;
  readonly expired: number;
  readonly subscriptions: number;
}

/** Every call may throw SpellError event-disabled, run-option. */
export interface Events {
  /** @returns false where there are too many a second: nobody receives it */
  publish(type: string, data: unknown, options?: EventOptions): boolean;
  /** @param pattern parts between dots; `*` is any one, `**` any number @returns its id */
  subscribe(pattern: string): string;
  /** The next event, waiting for one. @returns undefined after `timeoutMs`, default 5000 @throws SpellError event-unknown, run-aborted */
  receive(id: string, timeoutMs?: number, signal?: AbortSignal): Promise<SpellEvent | undefined>;
  /** @returns whether it was there; who waits gets nothing */
  unsubscribe(id: string): boolean;
  subscriptions(): readonly SubscriptionFacts[];
  stats(): EventStats;
}

export interface EventsHost {
  /** milliseconds, monotonic */
  readonly now: () => number;
  /** While it is so, events wait until release(). */
  readonly isHeld?: (() => boolean) | undefined;
}

interface Waiting {
  readonly event: Omit<SpellEvent, "data">;
  readonly text: string | undefined;
  readonly until: number;
}

interface Subscription {
  readonly pattern: string;
  readonly queue: Waiting[];
  readonly receivers: ((event: Waiting | undefined) => void)[];
  dropped: number;
}

const typeForm = /^[^\s.]+(?:\.[^\s.]+)*$/;

export function createEvents(settings: Config["events"], { now, isHeld = () => false }: EventsHost): Events & { release(): void } {
  const subscriptions = new Map<string, Subscription>();
  const held: (() => void)[] = [];
  const mayPublish = bucket(settings.max_events_per_second, 1000, now);
  const counts = { published: 0, refused: 0, received: 0, dropped: 0, expired: 0 };
  let characters = 0;
  let serial = 0;

  const need = (): void => {
    if (settings.enabled) return;
    throw new SpellError("event-disabled", "Event is switched off: events.enabled is false", {
      where: "events.enabled",
      actions: switchOn("events.enabled", "sessions"),
    });
  };
  const find = (id: string): Subscription => {
    const found = subscriptions.get(id);
    if (found !== undefined) return found;
    throw new SpellError("event-unknown", `no subscription ${id.slice(0, 60)}`, { where: id.slice(0, 60) });
  };
  const take = (subscription: Subscription): Waiting | undefined => {
    const first = subscription.queue.shift();
    characters -= first?.text?.length ?? 0;
    return first;
  };
  const drop = (subscription: Subscription): void => {
    take(subscription);
    subscription.dropped += 1;
    counts.dropped += 1;
  };
  const deliver = (waiting: Waiting): void => {
    for (const subscription of subscriptions.values()) {
      if (!fitsType(subscription.pattern, waiting.event.type)) continue;
      const receiver = subscription.receivers.shift();
      if (receiver !== undefined) {
        receiver(waiting);
        continue;
      }
      subscription.queue.push(waiting);
      characters += waiting.text?.length ?? 0;
      while (subscription.queue.length > settings.buffer_size || (characters > limits.eventCharacters && subscription.queue.length > 0))
        drop(subscription);
    }
  };
  const isOver = ({ until }: Waiting): boolean => until <= now();
  const shown = ({ event, text }: Waiting): SpellEvent => {
    counts.received += 1;
    return { ...event, data: text === undefined ? undefined : (JSON.parse(text) as unknown) };
  };

  return {
    publish(type, data, options = {}) {
      need();
      checkType("type", type);
      if (!mayPublish()) {
        counts.refused += 1;
        return false;
      }
      counts.published += 1;
      const { language, correlationId, ttlSeconds } = options;
      const until = ttlSeconds === undefined ? Number.POSITIVE_INFINITY : now() + ttlSeconds * 1000;
      const event = { id: ++serial, type, publishedAt: new Date().toISOString(), language, correlationId, ttlSeconds };
      const waiting: Waiting = { event, text: JSON.stringify(data) as string | undefined, until };
      if (isHeld()) held.push(() => deliver(waiting));
      else deliver(waiting);
      return true;
    },
    subscribe(pattern) {
      need();
      checkType("pattern", pattern);
      if (subscriptions.size >= limits.eventSubscriptions)
        throw new SpellError("run-option", `expected at most ${limits.eventSubscriptions} subscriptions, got one more`, {
          where: "pattern",
        });
      const id = `subscription-${++serial}`;
      subscriptions.set(id, { pattern, queue: [], receivers: [], dropped: 0 });
      return id;
    },
    async receive(id, timeoutMs = 5000, signal) {
      need();
      const subscription = find(id);
      const until = now() + timeoutMs;
      for (;;) {
        const waiting = take(subscription) ?? (await next(subscription, until - now(), signal));
        if (waiting === undefined) return undefined;
        if (!isOver(waiting)) return shown(waiting);
        counts.expired += 1;
      }
    },
    unsubscribe(id) {
      need();
      const subscription = subscriptions.get(id);
      if (subscription === undefined) return false;
      subscriptions.delete(id);
      while (subscription.queue.length > 0) take(subscription);
      for (const receiver of subscription.receivers.splice(0)) receiver(undefined);
      return true;
    },
    subscriptions() {
      need();
      return [...subscriptions].map(([id, { pattern, queue, dropped }]) => ({ id, pattern, waiting: queue.length, dropped }));
    },
    stats() {
      need();
      return { ...counts, subscriptions: subscriptions.size };
    },
    release() {
      for (const each of held.splice(0)) each();
    },
  };
}

function next(subscription: Subscription, ms: number, signal: AbortSignal | undefined): Promise<Waiting | undefined> {
  if (ms <= 0 || signal?.aborted === true) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const end = (event: Waiting | undefined): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      const at = subscription.receivers.indexOf(end);
      if (at >= 0) subscription.receivers.splice(at, 1);
      resolve(event);
    };
    const stop = (): void => end(undefined);
    const timer = setTimeout(stop, ms);
    signal?.addEventListener("abort", stop, { once: true });
    subscription.receivers.push(end);
  });
}

/** @throws SpellError run-option */
function checkType(name: string, text: string): void {
  const isFine = text.length <= limits.eventTypeCharacters && typeForm.test(text) && text.split(".").length <= limits.eventParts;
  if (isFine) return;
  throw new SpellError(
    "run-option",
    `${name}: expected 1–${limits.eventParts} words joined by single dots, at most ${limits.eventTypeCharacters} characters, got ${JSON.stringify(text.slice(0, 60))}`,
    { where: name, hint: `Write it as "order.paid": no space, no empty word.` },
  );
}
