/** What `llmspell doctor` says of the way to the net: certificates beside Node's own, and the proxy that the variables name. Nothing is asked. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { proxyOf, proxyVariables } from "../proxy.ts";
import type { Context } from "./context.ts";
import { type Check, toCheck } from "./doctor-checks.ts";

export function checkNetwork({ config }: ResolvedConfig, env: Context["env"]): readonly Check[] {
  return [checkCertificates(env["NODE_EXTRA_CA_CERTS"] ?? ""), checkProxy(config.models.hf_endpoint, env)];
}

/** Node leaves a file that it cannot read aside, with a warning at most. */
function checkCertificates(path: string): Check {
  const command = "export NODE_EXTRA_CA_CERTS=/path/to/certificates.pem";
  if (path === "") return toCheck("runtime", "certificates", "skip", "those of Node; NODE_EXTRA_CA_CERTS is not set", { command });
  const wrong = (why: string): Check => toCheck("runtime", "certificates", "warn", `NODE_EXTRA_CA_CERTS: ${path}: ${why}`, { command });
  try {
    const blocks = readFileSync(path, "latin1").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const names = blocks.map((block) => new X509Certificate(block).subject.split("\n").at(-1) ?? "");
    if (names.length === 0) return wrong("it holds no certificate in PEM form");
    const shown = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`;
    return toCheck("runtime", "certificates", "ok", `those of Node, and ${names.length} of NODE_EXTRA_CA_CERTS: ${shown}`);
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

function checkProxy(endpoint: string, env: Context["env"]): Check {
  if (!URL.canParse(endpoint)) return toCheck("servers", "proxy", "skip", "models.hf_endpoint is no address");
  const { host } = new URL(endpoint);
  const named = proxyVariables.filter((name) => env[name]?.trim());
  if (named.length === 0) {
    const command = "export HTTPS_PROXY=http://host:port";
    return toCheck("servers", "proxy", "skip", `no variable names one; ${host} is asked directly`, { command });
  }
  try {
    const proxy = proxyOf(new URL(endpoint), env);
    if (proxy !== undefined) return toCheck("servers", "proxy", "ok", `${host} through ${proxy.url.host}, by ${proxy.variable}`);
    return toCheck("servers", "proxy", "ok", `${named.join(", ")} set; ${host} is asked directly`);
  } catch (error) {
    return toCheck("servers", "proxy", "warn", error instanceof Error ? error.message : String(error), {
      command: `unset ${named.join(" ")}`,
    });
  }
}
