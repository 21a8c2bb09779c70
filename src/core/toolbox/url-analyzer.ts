/** `url-analyzer`: the parts of an address. Nothing is fetched. */
import { decodeUri } from "../values.ts";
import { toolFailed } from "./failure.ts";
import { any, integer, list, object, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

export const urlAnalyzer: ToolDefinition = {
  name: "url-analyzer",
  description: "Reads an address (URL) into its parts, or resolves a relative one. Nothing is fetched; a password is not shown.",
  category: "utility",
  version: "1.0.0",
  tags: ["address", "link"],
  parameters: object({ url: text("the address"), base: text("what a relative one is relative to") }, ["url"]),
  output: object(
    {
      result: text("the address in its normal form"),
      scheme: text("such as https"),
      host: text("name or number, without the port"),
      port: integer("the one given, or that of the scheme", 0, 65_535),
      origin: text('scheme, host and port; "null" for schemes without'),
      path: text("with its leading slash"),
      segments: list("of the path, decoded", { type: "string" }),
      query: {
        type: "object",
        description: "values by name; a list where a name occurs several times",
        additionalProperties: any("a text or a list"),
      },
      fragment: text("after #"),
      username: text("where there is one"),
    },
    ["result", "scheme", "host", "origin", "path", "segments", "query", "fragment"],
  ),
  run({ url, base }: { readonly url: string; readonly base?: string }) {
    if (!URL.canParse(url, base))
      throw toolFailed(
        "url-analyzer",
        `expected an address, got ${JSON.stringify(url.slice(0, 100))}${base === undefined ? "; a relative one needs base" : ""}`,
      );
    const read = new URL(url, base);
    read.password = "";
    const { protocol, hostname, port, origin, pathname, searchParams, hash, username, href } = read;
    const scheme = protocol.slice(0, -1);
    const number = port === "" ? usualPorts[scheme] : Number(port);
    const query = new Map<string, string | string[]>();
    for (const name of new Set(searchParams.keys())) {
      const values = searchParams.getAll(name);
      query.set(name, values.length === 1 ? (values[0] ?? "") : values);
    }
    return {
      result: href,
      scheme,
      host: hostname,
      ...(number !== undefined && { port: number }),
      origin,
      path: pathname,
      segments: pathname
        .split("/")
        .filter((part) => part !== "")
        .map(decodeUri),
      query: Object.fromEntries(query),
      fragment: decodeUri(hash.slice(1)),
      ...(username !== "" && { username: decodeUri(username) }),
    };
  },
};

const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21 };
