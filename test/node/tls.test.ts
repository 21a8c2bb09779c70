/**
 * Row 93: certificates that do not hold, seen from outside. One authority, which the command trusts, signs all but one of them: a good certificate of
 * hers passes, so each of the others is refused for what is wrong with it. Nothing here switches the check off.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createProxy } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { onlyWhere } from "../support/only-where.ts";
import { cli } from "./cli/support.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
if (!hasOpenssl) console.warn("skipped: openssl is not here to make certificates");

onlyWhere(hasOpenssl ? undefined : "openssl is not here").describe("a certificate", () => {
  let folder: string;
  const servers: Server[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "llmspell-tls-"));
    writeFileSync(
      join(folder, "ca.conf"),
      "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\nunique_subject=no\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\n[p]\ncommonName=supplied\n",
    );
    writeFileSync(join(folder, "index"), "");
    writeFileSync(join(folder, "ext"), "basicConstraints=critical,CA:TRUE\n");
    request("authority");
    sign("authority", "ext", "20200101000000Z", "20990101000000Z", "-selfsign", "-keyfile", "authority.key");
  });
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function openssl(...args: readonly string[]): void {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder });
    expect(status, String(stderr)).toBe(0);
  }

  function request(name: string): void {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`];
    openssl("req", "-new", ...key, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  }

  /** By `openssl ca`, the one way to name both dates that every version knows. */
  function sign(name: string, extensions: string, from: string, to: string, ...signer: readonly string[]): void {
    const times = ["-startdate", from, "-enddate", to];
    openssl(
      "ca",
      "-batch",
      "-notext",
      "-config",
      "ca.conf",
      ...signer,
      "-extfile",
      extensions,
      ...times,
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.crt`,
    );
  }

  async function serve(name: string): Promise<string> {
    const [key, cert] = [readFileSync(join(folder, `${name}.key`)), readFileSync(join(folder, `${name}.crt`))];
    const server = createServer({ key, cert }, (_, response) => response.end("no model"));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `https://localhost:${(server.address() as AddressInfo).port}/m.gguf`;
  }

  const authority = ["-keyfile", "authority.key", "-cert", "authority.crt"];
  it.each([
    ["that is good passes: what comes is looked at", "good", "localhost", "20990101000000Z", authority, "gguf-magic", 3],
    ["G93: that has expired → net-tls", "expired", "localhost", "20200102000000Z", authority, "net-tls", 5],
    ["G93: of another host → net-tls", "other", "example.org", "20990101000000Z", authority, "net-tls", 5],
    ["G93: that is self-signed → net-tls", "self", "localhost", "20990101000000Z", ["-selfsign", "-keyfile", "self.key"], "net-tls", 5],
  ])("%s", async (_, name, host, to, signer, code, status) => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=DNS:${host}\n`);
    request(name);
    sign(name, `${name}.ext`, "20200101000000Z", to, ...signer);
    const home = join(folder, `home-${name}`);
    const outcome = await cli(["model", "pull", await serve(name), "--allow-host", "localhost"], {
      env: { LLMSPELL_HOME: home, NODE_EXTRA_CA_CERTS: join(folder, "authority.crt") },
    });
    expect(outcome).toMatchObject({ status, stdout: "", stderr: expect.stringContaining(`[${code}]`) });
    if (code === "net-tls") expect(outcome.stderr).toContain("localhost");
  });

  it("counts for what a proxy tunnels: trusted with NODE_EXTRA_CA_CERTS, net-tls without", async () => {
    writeFileSync(join(folder, "tunnel.ext"), "subjectAltName=DNS:hub.example\n");
    request("tunnel");
    sign("tunnel", "tunnel.ext", "20200101000000Z", "20990101000000Z", ...authority);
    const { port } = new URL(await serve("tunnel"));
    const asked: (string | undefined)[] = [];
    const proxy = createProxy().on("connect", ({ url }, socket: Socket) => {
      asked.push(url);
      const end = connect(Number(port), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(end).pipe(socket);
      });
      for (const each of [socket, end]) each.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const pull = (env: Readonly<Record<string, string>>) =>
      cli(["model", "pull", "https://hub.example/m.gguf"], { env: { LLMSPELL_HOME: join(folder, "home-tunnel"), HTTPS_PROXY, ...env } });
    const trusting = await pull({ NODE_EXTRA_CA_CERTS: join(folder, "authority.crt") });
    expect(trusting).toMatchObject({ status: 3, stderr: expect.stringContaining("[gguf-magic]") });
    const doubting = await pull({});
    expect(doubting).toMatchObject({ status: 5, stderr: expect.stringContaining("[net-tls]") });
    expect(doubting.stderr).toContain("NODE_EXTRA_CA_CERTS");
    expect([...new Set(asked)]).toEqual(["hub.example:443"]);
    proxy.close();
  });
});
