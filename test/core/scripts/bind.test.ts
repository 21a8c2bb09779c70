import { describe, expect, it } from "vitest";
import { any, instance, integer, text } from "../../../src/core/scripts/arguments.ts";
import { bind, now, waits } from "../../../src/core/scripts/bind.ts";

class Counter {
  count = 0;
}

const bound = bind({
  globals: {
    State: { save: now([text("scope"), any("value")], (scope, value) => `${scope}=${value}`), list_keys: now([], () => ["a"]) },
    Config: { toJson: now([], () => "{}"), sha256: now([text("s")], (s) => s) },
    Counter: { create: now([], () => new Counter()) },
  },
  classes: {
    Counter: {
      kind: Counter,
      methods: {
        addTo: waits([instance("counter", Counter, "Counter"), integer("by")], async (counter, by) => {
          counter.count += by;
          return counter;
        }),
      },
    },
  },
});

describe("globals of scripts", () => {
  it("answer to both spellings of each name", () => {
    expect(bound.manifest).toEqual({
      globals: {
        State: { save: "State.save", list_keys: "State.list_keys", listKeys: "State.list_keys" },
        Config: { toJson: "Config.toJson", to_json: "Config.toJson", sha256: "Config.sha256" },
        Counter: { create: "Counter.create" },
      },
      classes: { Counter: { addTo: "Counter:addTo", add_to: "Counter:addTo" } },
      waits: ["Counter:addTo"],
      keeps: [],
      takesBytes: [],
      named: {},
    });
  });

  it("check their arguments, then run", async () => {
    expect(bound.call("State.save", ["s", 1])).toBe("s=1");
    expect(() => bound.call("State.save", [1, 1])).toThrow("State.save: scope: expected text, got 1");
    const counter = bound.call("Counter.create", []) as Counter;
    expect(await bound.call("Counter:addTo", [counter, 2])).toBe(counter);
    expect(counter.count).toBe(2);
    expect(() => bound.call("Counter:addTo", [{ count: 0 }, 2])).toThrow("expected an object of Counter");
  });

  it("refuse a name that is not there, of an object's prototype too", () => {
    for (const name of ["State.nothing", "constructor", "__proto__", "Counter:save"]) {
      expect(() => bound.call(name, [])).toThrow(expect.objectContaining({ code: "script-denied" }));
      expect(bound.find(name)).toBeUndefined();
    }
  });

  it("do not hide one function behind another's other spelling", () => {
    const both = { list_keys: now([], () => 1), listKeys: now([], () => 2) };
    expect(() => bind({ globals: { State: both }, classes: {} })).toThrow("State.list_keys is there twice");
  });
});
