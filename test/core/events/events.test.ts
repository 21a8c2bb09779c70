import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEvents } from "../../../src/core/events/events.ts";
import { limits } from "../../../src/core/limits.ts";
import { fitsName, fitsType } from "../../../src/core/wildcard.ts";
import { failure } from "../../support/failure.ts";

const settings = {
  enabled: true,
  buffer_size: 10_000,
  max_events_per_second: 1000,
  emit_timing_events: true,
  emit_state_events: false,
  emit_debug_events: false,
};

function clocked(changed: Partial<typeof settings> = {}) {
  let time = 0;
  let isHeld = false;
  const events = createEvents({ ...settings, ...changed }, { now: () => time, isHeld: () => isHeld });
  return { events, pass: (ms: number) => (time += ms), hold: (held: boolean) => (isHeld = held) };
}

describe("patterns", () => {
  it.each([
    ["a.b", "a.b", true],
    ["a.*", "a.b", true],
    ["a.*", "a.b.c", false],
    ["a.*", "a", false],
    ["a.**", "a", true],
    ["a.**", "a.b.c", true],
    ["**", "a.b", true],
    ["**.c", "a.b.c", true],
    ["a.**.d", "a.b.c.d", true],
    ["a.**.d", "a.b.c", false],
    ["*.done", "agent.done", true],
    ["a", "ab", false],
  ])("%s, %s: %s", (pattern, type, isFit) => expect(fitsType(pattern, type)).toBe(isFit));

  it("of names fit as regular expressions would", () => {
    const signs = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    fc.assert(
      fc.property(signs, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 }), (pattern, name) => {
        const written = pattern.replace(/\*+/g, ".*").replaceAll("?", ".");
        expect(fitsName(pattern, name)).toBe(new RegExp(`^${written}$`).test(name));
      }),
    );
  });

  it("take no longer for hostile ones", () => {
    const started = performance.now();
    expect(fitsName(`${"*a".repeat(100)}b`, "a".repeat(2000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("Event", () => {
  it("is received by each subscription that fits, in order, as a copy", async () => {
    const { events } = clocked();
    const [all, some, none] = [events.subscribe("**"), events.subscribe("order.*"), events.subscribe("other.**")];
    const data = { list: [1] };
    expect(events.publish("order.paid", data, { correlationId: "7", language: "lua" })).toBe(true);
    data.list.push(2);
    events.publish("order", undefined);
    const first = await events.receive(all, 0);
    expect(first).toMatchObject({ type: "order.paid", data: { list: [1] }, correlationId: "7", language: "lua" });
    const own = first?.data as { list: number[] };
    own.list.push(9);
    expect((await events.receive(some, 0))?.data).toEqual({ list: [1] });
    expect((await events.receive(all, 0))?.type).toBe("order");
    expect(await events.receive(some, 0)).toBeUndefined();
    expect(await events.receive(none, 0)).toBeUndefined();
    expect(events.subscriptions()).toEqual([
      { id: all, pattern: "**", waiting: 0, dropped: 0 },
      { id: some, pattern: "order.*", waiting: 0, dropped: 0 },
      { id: none, pattern: "other.**", waiting: 0, dropped: 0 },
    ]);
  });

  it("is waited for, until it comes, the time is over, or the subscription ends", async () => {
    const events = createEvents(settings, { now: () => performance.now() });
    const id = events.subscribe("a");
    const waiting = events.receive(id, 5000);
    events.publish("a", 1);
    expect((await waiting)?.data).toBe(1);
    expect(await events.receive(id, 10)).toBeUndefined();
    const over = new AbortController();
    const [ended, gone] = [events.receive(id, 5000, over.signal), events.receive(id, 5000)];
    over.abort();
    expect(await ended).toBeUndefined();
    expect(events.unsubscribe(id)).toBe(true);
    expect(await gone).toBeUndefined();
    expect(events.unsubscribe(id)).toBe(false);
    expect(await failure(events.receive(id, 10))).toMatchObject({ code: "event-unknown" });
  });

  it.each([1, 3])("queues are bounded, and what is lost is counted: buffer_size %i", async (size) => {
    const { events } = clocked({ buffer_size: size });
    const id = events.subscribe("a");
    for (let i = 0; i < 5; i++) events.publish("a", i);
    expect(events.subscriptions()[0]).toMatchObject({ waiting: size, dropped: 5 - size });
    expect((await events.receive(id, 0))?.data).toBe(5 - size);
    expect(events.stats()).toMatchObject({ published: 5, received: 1, dropped: 5 - size });
  });

  it("queues hold so many characters together, however few events they are", () => {
    const { events } = clocked();
    events.subscribe("a");
    const large = "x".repeat(limits.eventCharacters / 4);
    for (let i = 0; i < 6; i++) events.publish("a", large);
    expect(events.subscriptions()[0]).toMatchObject({ waiting: 3, dropped: 3 });
  });

  it.each([2, 50])("are at most max_events_per_second: %i", (most) => {
    const { events, pass } = clocked({ max_events_per_second: most });
    const publish = () => events.publish("a", 1);
    for (let i = 0; i < most; i++) expect(publish()).toBe(true);
    expect(publish()).toBe(false);
    pass(1000 / most);
    expect([publish(), publish()]).toEqual([true, false]);
    expect(events.stats()).toMatchObject({ published: most + 1, refused: 2 });
  });

  it("whose time is over is received by nobody", async () => {
    const { events, pass } = clocked();
    const id = events.subscribe("a");
    events.publish("a", "short", { ttlSeconds: 1 });
    events.publish("a", "long", { ttlSeconds: 3 });
    pass(1500);
    expect((await events.receive(id, 0))?.data).toBe("long");
    expect(events.stats().expired).toBe(1);
  });

  it("waits while it is held", async () => {
    const { events, hold } = clocked();
    const id = events.subscribe("a");
    hold(true);
    events.publish("a", 1);
    expect(await events.receive(id, 0)).toBeUndefined();
    hold(false);
    events.release();
    expect((await events.receive(id, 0))?.data).toBe(1);
  });

  it("refuses what is no type, and everything where it is switched off", async () => {
    const { events } = clocked();
    for (const wrong of ["", "a..b", ".a", "a b", "x".repeat(300), Array(40).fill("a").join(".")])
      expect(() => events.publish(wrong, 1)).toThrow(expect.objectContaining({ code: "run-option" }));
    const off = clocked({ enabled: false }).events;
    for (const call of [
      () => off.publish("a", 1),
      () => off.subscribe("a"),
      () => off.stats(),
      () => off.subscriptions(),
      () => off.unsubscribe("a"),
    ])
      expect(call).toThrow(expect.objectContaining({ code: "event-disabled", where: "events.enabled" }));
    expect(await failure(off.receive("a"))).toMatchObject({ code: "event-disabled" });
  });
});
