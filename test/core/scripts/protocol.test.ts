import { describe, expect, it } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import { readGuestMessage } from "../../../src/core/scripts/protocol.ts";

describe("messages of a guest", () => {
  it("are read as they are written", () => {
    expect(readGuestMessage("idle 3 17")).toEqual({ t: "idle", received: 3, computedMs: 17 });
    for (const message of [
      { t: "call", id: 1, f: "State.save", a: ["s", null] },
      { t: "call", id: "m1", f: "module.load", a: ["x.js"] },
      { t: "back", id: 1, n: 2, ok: true, v: false },
      { t: "out", s: "x\n", c: 3 },
      { t: "log", l: "warn", s: "careful" },
      { t: "end", v: [1] },
      { t: "end", exit: 255 },
      { t: "more" },
      { t: "fail", e: { code: "script-error", message: "oh" } },
    ])
      expect(readGuestMessage(JSON.stringify(message))).toEqual(message);
  });

  it.each([
    "",
    "idle",
    "idle 1",
    "idle -1 2",
    "idle 1 2 3",
    "idle 1e9 2",
    "null",
    "[]",
    "{",
    '{"t":"idle","received":1,"computedMs":1}',
    '{"t":"run","source":"x"}',
    '{"t":"call","id":1,"f":"x"}',
    '{"t":"call","id":{},"f":"x","a":[]}',
    '{"t":"call","id":1,"f":["x"],"a":[]}',
    '{"t":"back","id":1,"n":-1,"ok":true}',
    '{"t":"back","id":1,"n":1,"ok":1}',
    '{"t":"out","s":1,"c":1}',
    '{"t":"out","s":"x","c":-1}',
    '{"t":"log","l":"trace","s":"x"}',
    '{"t":"end","exit":256}',
    '{"t":"end","exit":"1"}',
    '{"t":"fail","e":null}',
    '{"t":"fail","e":{"code":1,"message":"x"}}',
    '{"t":"constructor"}',
    `{"t":"out","c":1,"s":"${"x".repeat(limits.scriptMessageBytes + 200)}"}`,
  ])("of any other form are none: %.40s", (text) => {
    expect(readGuestMessage(text)).toBeUndefined();
  });
});
