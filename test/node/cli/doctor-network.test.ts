import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { resolveSource } from "../../../src/core/config/resolve.ts";
import { checkNetwork } from "../../../src/node/cli/doctor-network.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-network-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = await resolveSource({ kind: "defaults" });
const [good, empty] = [join(folder, "good.pem"), join(folder, "empty.pem")];
writeFileSync(good, rootCertificates.slice(0, 2).join("\n"));
writeFileSync(empty, "no certificate");

describe("doctor, of the way to the net", () => {
  it.each<[string, Record<string, string>, string, RegExp]>([
    ["none", {}, "skip", /NODE_EXTRA_CA_CERTS is not set/],
    ["some", { NODE_EXTRA_CA_CERTS: good }, "ok", /and 2 of NODE_EXTRA_CA_CERTS: /],
    ["a file that is not there", { NODE_EXTRA_CA_CERTS: join(folder, "none") }, "warn", /none: ENOENT/],
    ["a file without any", { NODE_EXTRA_CA_CERTS: empty }, "warn", /holds no certificate in PEM form/],
  ])("certificates: %s", (_, env, result, reason) => {
    expect(checkNetwork(config, env)).toContainEqual(
      expect.objectContaining({ area: "runtime", id: "certificates", result, reason: expect.stringMatching(reason) }),
    );
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    ["none", {}, "skip", /huggingface\.co is asked directly/],
    ["one", { HTTPS_PROXY: "http://me:pw@p:3128" }, "ok", /^huggingface\.co through p:3128, by HTTPS_PROXY$/],
    ["another scheme's", { HTTP_PROXY: "http://p:3128" }, "ok", /^HTTP_PROXY set; huggingface\.co is asked directly$/],
    ["an exception", { HTTPS_PROXY: "http://p:3128", NO_PROXY: "huggingface.co" }, "ok", /asked directly/],
    ["what is none", { HTTPS_PROXY: "ftp://p" }, "warn", /^HTTPS_PROXY: expected the address/],
  ])("proxy: %s", (_, env, result, reason) => {
    expect(checkNetwork(config, env)).toContainEqual(
      expect.objectContaining({ area: "servers", id: "proxy", result, reason: expect.stringMatching(reason) }),
    );
  });
});
