import { describe, expect, it } from "vitest";
import { type ServerEvent, serverEvents } from "../../../../src/core/backends/server/events.ts";

async function* pieces(bytes: Uint8Array, step: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}
const read = async (text: string, step: number, most = 1000): Promise<readonly ServerEvent[]> => {
  const all: ServerEvent[] = [];
  for await (const event of serverEvents(pieces(new TextEncoder().encode(text), step), most, () => new Error("too long"))) all.push(event);
  return all;
};

describe("events of a stream", () => {
  const stream = ": hello\n\nevent: a\ndata: one\ndata:  two 😀\n\ndata\n\nid: 7\nretry: 1\n:x\ndata: é\u2028\n\nevent: none\n\n";
  const wanted = [
    { event: "a", data: "one\n two 😀" },
    { event: "", data: "" },
    { event: "", data: "é\u2028" },
  ];

  it.each(["\n", "\r\n", "\r"])("are the same at every cut, with lines that end in %j", async (end) => {
    const text = stream.replaceAll("\n", end);
    for (let step = 1; step <= text.length; step += 1) expect(await read(text, step), String(step)).toEqual(wanted);
  });

  it("drop a byte order mark, and keep a last event whose empty line is missing", async () => {
    for (const text of ["\ufeffdata: x\n\n", "data: x\n", "data: x"]) expect(await read(text, 3)).toEqual([{ event: "", data: "x" }]);
    expect(await read("", 1)).toEqual([]);
  });

  it("are bounded: a line, a comment, many lines of one event, one huge piece", async () => {
    for (const text of [
      `data: ${"x".repeat(2000)}`,
      `:${"x".repeat(2000)}`,
      "data: xxxxxxxxx\n".repeat(200),
      `data: ${"x".repeat(2000)}\n\n`,
    ])
      for (const step of [7, 1_000_000]) await expect(read(text, step)).rejects.toThrow("too long");
    // many short ones are not long
    expect(await read("data: xxxxxxxxx\n\n: c\n".repeat(500), 64)).toHaveLength(500);
  });

  it("cost no more than their bytes", async () => {
    const started = performance.now();
    expect(await read(`data: ${"x".repeat(200_000)}\n\n`, 1, 1_000_000)).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(5000); // growing with the square it takes minutes
  });
});
