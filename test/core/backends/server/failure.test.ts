/** What a service says of a refusal: its words, without the key that it may repeat. */
import { describe, expect, it } from "vitest";
import { failureOf, keyHider, networkFailure } from "../../../../src/core/backends/server/failure.ts";
import { mask } from "../../../../src/core/config/keys.ts";
import { SpellError } from "../../../../src/core/errors.ts";

const key = "sk-SECRETKEY0123456789abcdef";
const asked = { provider: "office", url: "https://llm.example/v1", key, login: `Basic ${btoa("me:word")}` };
/** Most of it is as good as all of it. */
const part = key.slice(0, -1);

describe("a key", () => {
  it("is hidden before words are cut, wherever the cut falls", () => {
    for (let before = 440; before < 520; before += 1) {
      const text = JSON.stringify({ error: { message: `${"y".repeat(before)} Bearer ${key} ${key.toUpperCase()}` } });
      const { message } = failureOf({ status: 400, text, retryAfterMs: undefined }, asked);
      for (const length of [8, part.length])
        expect(message.toLowerCase(), String(before)).not.toContain(part.slice(0, length).toLowerCase());
    }
  });

  it("is hidden in capitals, in base64, as name and password of an address, and in what the network says", () => {
    const hide = keyHider(asked);
    expect(hide(`a ${key.toLowerCase()} b ${btoa(key)} c ${btoa("me:word")} d`)).toBe(`a ${mask} b ${mask} c ${mask} d`);
    const error = networkFailure(new SpellError("net-redirect", `sent to http://${key.toLowerCase()}.example/`), asked);
    expect(error).toMatchObject({
      code: "net-redirect",
      message: `sent to http://${mask}.example/`,
      hint: expect.stringContaining("base_url"),
    });
  });
});
