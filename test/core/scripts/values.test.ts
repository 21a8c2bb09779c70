import { describe, expect, it } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import { inward, outward, scriptObjects } from "../../../src/core/scripts/values.ts";

class Agent {
  readonly key = "sk-secret";
}
const noCallback = (): never => {
  throw new Error("no callback expected");
};
it("are bytes where a guest says so", () => {
  expect(inward([{ $bytes: "AP8=" }], scriptObjects([]), noCallback)).toEqual([Uint8Array.of(0, 255)]);
  expect(() => inward({ $bytes: "?" }, scriptObjects([]), noCallback)).toThrow(expect.objectContaining({ code: "script-argument" }));
});

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("values to a script", () => {
  const objects = scriptObjects([["Agent", Agent]]);

  it("keep data, leave out what is undefined, and name objects of the host by number", () => {
    const agent = new Agent();
    const all = outward({ a: [1, undefined, null], b: undefined, c: 2n ** 60n, agent, again: agent, other: new Agent() }, objects);
    expect(all).toEqual({
      a: [1, null, null],
      c: "1152921504606846976",
      agent: { $id: 1, $class: "Agent" },
      again: { $id: 1, $class: "Agent" },
      other: { $id: 2, $class: "Agent" },
    });
    expect(objects.find(1)).toBe(agent);
    for (const id of [0, 3, -1, 1.5, "1", null, undefined, "length"]) expect(objects.find(id)).toBeUndefined();
  });

  it("mark the user's own $ keys, and come back as they were", () => {
    const value = { $id: 1, $$x: { $fn: 2 }, plain: "$", ["__proto__"]: 3 };
    const sent = JSON.parse(JSON.stringify(outward(value, objects))) as unknown;
    expect(sent).toEqual({ $$id: 1, $$$x: { $$fn: 2 }, plain: "$", ["__proto__"]: 3 });
    expect(inward(sent, objects, noCallback)).toEqual(value);
  });

  it("have a limit of depth, and no functions", () => {
    expect(outward(nested(limits.scriptDepth), objects)).toEqual(nested(limits.scriptDepth));
    expect(() => outward(nested(limits.scriptDepth + 1), objects)).toThrow(expect.objectContaining({ code: "script-error" }));
    expect(() => outward({ f: () => 1 }, objects)).toThrow("a function cannot go to a script");
  });

  it("end at a number of objects", () => {
    const few = scriptObjects([["Agent", Agent]]);
    for (let i = 0; i < limits.scriptObjects; i++) few.mark(new Agent());
    expect(() => few.mark(new Agent())).toThrow(expect.objectContaining({ code: "script-memory" }));
  });
});

describe("values of a script", () => {
  const objects = scriptObjects([["Agent", Agent]]);
  const agent = new Agent();
  objects.mark(agent);

  it("become objects of the host and functions", async () => {
    const value = inward({ agent: { $id: 1 }, list: [{ $fn: 2 }] }, objects, (index) => async () => index) as {
      agent: Agent;
      list: [() => Promise<number>];
    };
    expect(value.agent).toBe(agent);
    expect(await value.list[0]()).toBe(2);
  });

  it("that no guest of ours sends are refused", () => {
    const bad = [{ $id: 2 }, { $id: "1" }, { $fn: "1" }, { $fn: 1.5 }, { $other: 1 }, { $id: { $id: 1 } }, nested(limits.scriptDepth + 2)];
    for (const value of bad) expect(() => inward(value, objects, noCallback)).toThrow(expect.objectContaining({ code: "script-argument" }));
  });

  it("bring no prototype along", () => {
    const value = inward(JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}'), objects, noCallback) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
