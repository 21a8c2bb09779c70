/**
 * One request of a tool in Node. The address that was checked is the address that is connected to: the name is looked up inside the connection, so a name
 * that answers differently the second time gains nothing. No proxy: behind one nobody can say where a request goes.
 */
import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { SpellError } from "../../core/errors.ts";
import type { ToolHop, ToolReply } from "../../core/platform.ts";
import { deniedHost, tooLong } from "../../core/toolbox/ask-server.ts";

/** How names are looked up, as of node:dns. */
export type Lookup = (
  name: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: readonly dns.LookupAddress[]) => void,
) => void;

const systemLookup: Lookup = (name, options, done) => dns.lookup(name, options, done);

/** Looks names up for a connection, which goes to the address that was judged. */
export function checkedLookup(problemOf: ToolHop["problemOf"], lookup: Lookup = systemLookup): LookupFunction {
  return (name, options, done) => {
    lookup(name, { all: true }, (error, found) => {
      if (error !== null) return done(error, "", 0);
      // one private address among several refuses all: which one is taken is not ours to say
      const problem = found.map(({ address }) => problemOf(address)).find((each) => each !== undefined);
      const [first] = found;
      if (problem !== undefined || first === undefined) {
        const why = first === undefined ? "its name leads nowhere" : `its name leads to an address of which ${problem}`;
        return done(deniedHost(name, why, "allowed_hosts") as unknown as NodeJS.ErrnoException, "", 0);
      }
      if (options.all === true) done(null, [...found]);
      else done(null, first.address, first.family);
    });
  };
}

export function requestOnce(hop: ToolHop, lookup: Lookup = systemLookup): Promise<ToolReply> {
  const { url, method, headers, body, signal, mostBytes, problemOf } = hop;
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http;
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const asked = request(
      url,
      { method, headers: { ...headers, ...length }, lookup: checkedLookup(problemOf, lookup), signal, agent: false },
      (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on("data", (part: Buffer) => {
          size += part.length;
          if (size > mostBytes) answer.destroy(tooLong(url, mostBytes));
          else parts.push(part);
        });
        answer.on("error", (error) => reject(named(error, url)));
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, headers: plain(answer.headers), body: new Uint8Array(Buffer.concat(parts)) }),
        );
      },
    );
    asked.on("error", (error) => reject(named(error, url)));
    asked.end(body);
  });
}

function plain(headers: http.IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
    ),
  );
}

function named(error: Error & { readonly code?: string }, { host }: URL): Error {
  if (error instanceof SpellError || error.name === "AbortError") return error;
  const [code, why] =
    error.code === "ENOTFOUND" || error.code === "EAI_AGAIN"
      ? (["net-offline", "its name is not known"] as const)
      : /CERT|TLS|SSL|SELF_SIGNED/.test(error.code ?? "")
        ? (["net-tls", error.message] as const)
        : error.code === "ECONNRESET"
          ? (["net-reset", "the connection broke off"] as const)
          : (["net-offline", error.message] as const);
  return new SpellError(code, `http-request: ${host}: ${why}`, { where: host, cause: error });
}
