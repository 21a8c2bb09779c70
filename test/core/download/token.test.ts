import { describe, expect, it } from "vitest";
import { sendableToken } from "../../../src/core/download/token.ts";

describe("sendableToken", () => {
  it.each([
    ["hf_abc", "hf_abc"],
    [" hf_abc\r\n", "hf_abc"],
    ["\ufeffhf_abc", "hf_abc"],
    ["", undefined],
    [" \n", undefined],
    [undefined, undefined],
  ])("%j → %j", (text, token) => expect(sendableToken(text, "X")).toBe(token));

  it.each([
    ["two lines", "hf_secret\nhf_other", "a second line after character 9"],
    ["a zero-width space", "hf_secret\u200b", "U+200B after character 9"],
    ["a typographic quote", "\u201chf_secret\u201d", "U+201C after character 0"],
    ["a space inside", "hf secret", "U+0020 after character 2"],
    ["a NUL", "hf\0secret", "U+0000 after character 2"],
    ["a whole file", "x".repeat(10_000), "more than 8192 characters"],
  ])("%s → net-auth that names what holds it, without its value", (_, text, got) => {
    let error: unknown;
    try {
      sendableToken(text, "HF_TOKEN");
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "net-auth", where: "HF_TOKEN", actions: [{ kind: "set-variable", name: "HF_TOKEN" }] });
    expect(error).toMatchObject({ message: expect.stringMatching(/^HF_TOKEN is not sent: /) });
    expect(error).toMatchObject({ message: expect.stringContaining(got) });
    expect(JSON.stringify(error)).not.toMatch(/secret|other|xxx/);
  });
});
