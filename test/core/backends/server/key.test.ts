/** The key of a service beside its address. */
import { expect, it } from "vitest";
import { sendableKey } from "../../../../src/core/backends/server/key.ts";
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
