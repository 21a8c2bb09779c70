import { describe, expect, it } from "vitest";
import { readLines, readPrompt } from "../../../src/node/cli/input.ts";
import { chunks, keptScreen } from "./support.ts";

const options = (raw = false, signal = new AbortController().signal) => ({ raw, signal, screen: keptScreen().screen });
const pipe = (...parts: readonly (string | Uint8Array)[]) => Object.assign(chunks(...parts), { destroy: () => undefined });

describe("the prompt", () => {
  it("is text of standard input, a blank line, then the operand", async () => {
    expect(await readPrompt("Sum this up.", pipe("some\nnotes\n"), options())).toBe("some\nnotes\n\nSum this up.");
    expect(await readPrompt("Sum this up.", pipe(""), options())).toBe("Sum this up.");
    expect(await readPrompt("Hello", undefined, options())).toBe("Hello");
  });

  it("is standard input alone for - and without an operand", async () => {
    expect(await readPrompt("-", pipe("Once\n"), options())).toBe("Once");
    expect(await readPrompt(undefined, pipe("Once\r\n"), options())).toBe("Once");
  });

  it("keeps every byte of raw text", async () => {
    expect(await readPrompt(undefined, pipe("Once\n\n"), options(true))).toBe("Once\n\n");
  });

  it("joins characters that were split over chunks", async () => {
    const bytes = new TextEncoder().encode("é👩");
    expect(await readPrompt("-", pipe(...[...bytes].map((byte) => Uint8Array.of(byte))), options())).toBe("é👩");
  });

  it("G77: empty standard input without an operand is no prompt", async () => {
    await expect(readPrompt(undefined, pipe(""), options())).rejects.toMatchObject({ code: "usage-no-prompt" });
    await expect(readPrompt("-", pipe("\n"), options())).rejects.toMatchObject({ code: "usage-no-prompt" });
    await expect(readPrompt(undefined, undefined, options())).rejects.toMatchObject({ code: "usage-no-prompt" });
  });

  it("G77: neither is an empty operand; raw white space is one", async () => {
    for (const stdin of [undefined, pipe("\n")])
      await expect(readPrompt("  ", stdin, options())).rejects.toMatchObject({ code: "usage-no-prompt", message: /empty/ });
    await expect(readPrompt("", undefined, options(true))).rejects.toMatchObject({ code: "usage-no-prompt" });
    expect(await readPrompt("\n\n", undefined, options(true))).toBe("\n\n");
  });

  it("G77: bytes that are no UTF-8 are refused, also when the last character is cut off", async () => {
    await expect(readPrompt("x", pipe(Uint8Array.of(0x61, 0xff)), options())).rejects.toMatchObject({ code: "usage-value" });
    await expect(readPrompt("x", pipe(Uint8Array.of(0x61, 0xc3)), options())).rejects.toMatchObject({ code: "usage-value" });
  });

  it("G77: an endless input is given up at the limit, without keeping it", async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) {
        given += 65_536;
        yield new Uint8Array(65_536).fill(97);
      }
    }
    await expect(readPrompt("x", Object.assign(endless(), { destroy: () => undefined }), options())).rejects.toMatchObject({
      code: "usage-value",
    });
    expect(given).toBeLessThan(5_000_000);
  });

  it("stops waiting for a silent pipe when the run is interrupted", async () => {
    const controller = new AbortController();
    const silent = Object.assign(
      { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) },
      { destroy: () => undefined },
    );
    const reading = readPrompt("x", silent, options(false, controller.signal));
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: "run-aborted" });
  });
});

describe("lines", () => {
  it("come one by one, whatever the chunks, with or without a last newline", async () => {
    const lines: string[] = [];
    for await (const line of readLines(pipe("a\nb", "c\r\n", "\nlast"), new AbortController().signal, keptScreen().screen))
      lines.push(line);
    expect(lines).toEqual(["a", "bc", "", "last"]);
  });
});
