import { afterAll, beforeAll, expect, it } from "vitest";
import { commands } from "vitest/browser";
import { createSpell } from "../../src/browser/index.ts";
import type {} from "./service-commands.ts";

let origin: string;
beforeAll(async () => {
  origin = await commands.startService();
});
afterAll(() => commands.stopService());

const spellOf = (provider: object) => createSpell({ config: { providers: { office: provider as never } } });

it("a page asks services with its user's key, in the words that Anthropic wants of pages", async () => {
  for (const [provider_type, base_url] of [
    ["openai-compatible", `${origin}/v1`],
    ["anthropic", origin],
  ] as const) {
    const { text, backend } = await spellOf({ provider_type, base_url, api_key: "key-of-mine" }).generate("office/m", "Hi");
    expect([text, backend]).toEqual(["Hello", provider_type]);
  }
  const [chat, message] = await commands.seenByService();
  expect(chat).toMatchObject({ url: "/v1/chat/completions", headers: { authorization: "Bearer key-of-mine" } });
  expect(message).toMatchObject({
    url: "/v1/messages",
    headers: { "x-api-key": "key-of-mine", "anthropic-dangerous-direct-browser-access": "true", "anthropic-version": "2023-06-01" },
  });
});

it("a page follows no redirect with a key, and says what is missing where it has none", async () => {
  const asked = (provider: object) => spellOf(provider).generate("office/m", "Hi");
  await expect(asked({ provider_type: "openai-compatible", base_url: `${origin}/away`, api_key: "k" })).rejects.toMatchObject({
    code: "net-redirect",
  });
  await expect(asked({ provider_type: "anthropic" })).rejects.toMatchObject({ code: "config-api-key-missing" });
});
