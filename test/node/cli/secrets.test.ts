/** No value of a secret variable or file reaches an output, whatever goes wrong. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secretsOf } from "../../../src/node/cli/secrets.ts";
import { cli } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-secrets-"));
const secret = "hf_AbCdEfGhIjKlMnOpQrStUvWx012345";
const file = join(folder, "token");
let echo: Server;
let endpoint = "";

beforeAll(async () => {
  writeFileSync(file, `${secret}\n`);
  // A hub that says in its answers what it was told: the address of the redirect holds the token.
  echo = createServer(({ headers }, response) => {
    const told = encodeURIComponent(String(headers.authorization ?? "").replace("Bearer ", ""));
    response.writeHead(302, { location: `ftp://${told}.example/${told}`, "x-error-message": told }).end();
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
});
afterAll(() => {
  echo.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a secret", () => {
  const asked = ["model", "pull"];
  it.each<[string, readonly string[], Record<string, string>]>([
    ["of two lines", [...asked, "hf:o/r"], { HF_TOKEN: `${secret}\nhf_second` }],
    ["with an invisible character", [...asked, "hf:o/r"], { HF_TOKEN: `${secret}\u200b` }],
    ["that a server sends back", [...asked, "hf:o/r"], { HF_TOKEN: secret }],
    ["of a file, that a server sends back", [...asked, "hf:o/r"], { HF_TOKEN_PATH: file }],
    ["that stands on the command line too", [...asked, `hf:o/${secret}`], { HF_TOKEN_PATH: file }],
    ["of a variable of no program", [...asked, `hf:o/${secret}`], { AWS_SECRET_ACCESS_KEY: secret }],
    ["of a provider, in a name", ["generate", "-m", `${secret}@nowhere`, "x"], { OPENAI_API_KEY: secret }],
    ["as a wrong value of the configuration", ["config", "show"], { LLMSPELL_MODELS_OFFLINE: secret, MY_PASSWORD: secret }],
    ["in an address", [...asked, `https://host.invalid/${encodeURIComponent(`${secret}=+/`)}`], { X_TOKEN: `${secret}=+/` }],
    ["that a variable with a name of one's own holds", ["config", "show", "--origin"], { MY_KEY: secret, LLMSPELL_X: secret }],
  ])("%s is not shown", async (_, args, env) => {
    for (const flags of [[], ["--output", "json"], ["--trace", "debug"]]) {
      const { stdout, stderr } = await cli([...args, ...flags], { env: { HF_ENDPOINT: endpoint, ...env } });
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toBe("");
    }
  });

  it("that cannot be a header is net-auth with the variable", async () => {
    const { stdout } = await cli(["model", "pull", "hf:o/r", "--output", "json"], {
      env: { HF_ENDPOINT: endpoint, HF_TOKEN: `${secret}\nx` },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "net-auth", where: "HF_TOKEN", commands: ["export HF_TOKEN=…"], exit_code: 5 },
    });
  });

  it("is what its variable's name says, but for what stands where no key is needed", () => {
    const env = {
      PATH: "/bin",
      HF_HOME: file,
      OPENAI_API_KEY: "ollama",
      GH_TOKEN: "abc123",
      HTTPS_PROXY: "http://me:geheim@p:1",
      HF_TOKEN_PATH: file,
    };
    expect(secretsOf(env)).toEqual(["abc123", "geheim", `${secret}\n`]);
  });
});
