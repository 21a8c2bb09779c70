/** Row 93: certificates that do not hold. Nothing here switches the check off. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realClock } from "../../src/core/download/clock.ts";
import { request } from "../../src/core/download/request.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
if (!hasOpenssl) console.warn("skipped: openssl is not here to make certificates");

describe.skipIf(!hasOpenssl)("a certificate", () => {
  let folder: string;
  const servers: Server[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "llmspell-tls-"));
  });
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function serve(name: string, ...more: readonly string[]): Promise<string> {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
    const made = spawnSync("openssl", [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      key,
      "-out",
      cert,
      "-subj",
      `/CN=${name}`,
      ...more,
    ]);
    expect(made.status, String(made.stderr)).toBe(0);
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end("secret"));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `https://localhost:${(server.address() as AddressInfo).port}/m.gguf`;
  }

  it.each([
    ["that is self-signed", "localhost", ["-days", "2", "-addext", "subjectAltName=DNS:localhost"]],
    ["of another host", "example.org", ["-days", "2", "-addext", "subjectAltName=DNS:example.org"]],
    ["that has expired", "localhost2", ["-days", "-1", "-addext", "subjectAltName=DNS:localhost"]],
  ])("93 %s → net-tls at once, the host named", async (_, name, more) => {
    const url = await serve(name, ...more).catch(() => undefined);
    if (url === undefined) return console.warn("skipped: this openssl makes no expired certificate");
    const network = { fetch, clock: realClock(() => performance.now()) };
    await expect(request(url, network, { what: "m.gguf", isTrusted: true })).rejects.toMatchObject({
      code: "net-tls",
      retryable: false,
      message: expect.stringContaining("localhost"),
    });
  });
});
