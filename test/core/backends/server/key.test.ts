/** The key of a service beside its address. */
import { expect, it } from "vitest";
import { sendableKey, variableInUse } from "../../../../src/core/backends/server/key.ts";
import { resolveSource } from "../../../../src/core/config/resolve.ts";
import { failure } from "../../../support/failure.ts";

const openai = (base_url: string) =>
  resolveSource(
    { kind: "object", values: { providers: { openai: { provider_type: "openai", base_url } } } },
    { env: { OPENAI_API_KEY: "sk-1" } },
  );

it("a key that nobody wrote down is refused beside a user and password, which it would replace; the password is not shown", async () => {
  const { code, where, message } = await failure(
    (async () => sendableKey(await openai("https://me:pw-secret@api.openai.com/v1"), "openai"))(),
  );
  expect([code, where]).toEqual(["config-value", "providers.openai.base_url"]);
  expect(message).toContain("no user and password beside a key");
  expect(message).not.toContain("pw-secret");
  expect(sendableKey(await openai("https://api.openai.com/v1"), "openai")).toBe("sk-1");
});

it.each(["openai", "anthropic"] as const)(
  "the usual variable that a built-in profile names goes to %s alone, not to another address",
  async (name) => {
    const variable = `${name.toUpperCase()}_API_KEY`;
    const source = { kind: "profile", name: "providers" } as const;
    expect(sendableKey(await resolveSource(source, { env: { [variable]: "sk-1" } }), name)).toBe("sk-1");
    const address = { [`LLMSPELL_PROVIDERS_${name.toUpperCase()}_BASE_URL`]: "http://127.0.0.1:9/v1" };
    const elsewhere = await resolveSource(source, { env: { [variable]: "sk-1", ...address } });
    expect(await failure((async () => sendableKey(elsewhere, name))())).toMatchObject({
      code: "config-api-key-missing",
      message: expect.stringContaining(`${variable} goes to its own service alone`) as string,
    });
  },
);

it("the variable in use is that of the service, unless a key was written down", async () => {
  expect(variableInUse(await openai("https://api.openai.com/v1"), "openai")).toBe("OPENAI_API_KEY");
  const written = await resolveSource({ kind: "object", values: { providers: { openai: { api_key: "sk-2" } } } }, { env: {} });
  expect(variableInUse(written, "openai")).toBeUndefined();
});
