/** `uuid-generator`: RFC 9562, versions 4, 5 and 7. */
import { toolFailed } from "./failure.ts";
import { integer, list, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly version?: "v4" | "v5" | "v7";
  readonly count?: number;
  readonly namespace?: string;
  readonly name?: string;
}

/** Of RFC 9562, section 6.6. */
const namespaces: Readonly<Record<string, string>> = {
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  oid: "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
  x500: "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
};

export const uuidGenerator: ToolDefinition = {
  name: "uuid-generator",
  description: "Makes UUIDs: v4 random, v7 ordered by time, several in ascending order, v5 the same for the same namespace and name.",
  category: "utility",
  version: "1.0.0",
  tags: ["id"],
  parameters: object(
    {
      version: oneOf("[v4]", ["v4", "v5", "v7"]),
      count: integer("how many, of v4 and v7 [1]", 1, 1000),
      namespace: text("v5: dns, url, oid, x500 or a UUID"),
      name: text("v5: the name within the namespace"),
    },
    [],
  ),
  output: object({ result: text("the UUID; of several all, one a line"), uuids: list("all of them", { type: "string" }) }),
  async run({ version = "v4", count = 1, namespace, name }: Input) {
    const uuids: string[] = [];
    if (version === "v5") uuids.push(await named(namespace, name));
    else if (version === "v7") uuids.push(...timed(count));
    else for (let i = 0; i < count; i += 1) uuids.push(crypto.randomUUID());
    return { result: uuids.join("\n"), uuids };
  },
};

async function named(namespace: string | undefined, name: string | undefined): Promise<string> {
  const known = Object.hasOwn(namespaces, namespace ?? "") ? namespaces[namespace ?? ""] : namespace;
  if (known === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(known))
    throw toolFailed("uuid-generator", `expected namespace dns, url, oid, x500 or a UUID for v5, got ${namespace?.slice(0, 60) ?? "none"}`);
  if (name === undefined) throw toolFailed("uuid-generator", "expected name for v5, got none");
  const space = Uint8Array.from(known.replaceAll("-", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const digest = await crypto.subtle.digest("SHA-1", Uint8Array.from([...space, ...new TextEncoder().encode(name)]));
  return written(new Uint8Array(digest).subarray(0, 16), 5);
}

/** Ascending: of one millisecond, with a counter of 12 bits that begins anywhere in its lower half (RFC 9562, section 6.2, method 1). */
function timed(count: number): readonly string[] {
  let ms = Date.now();
  const time = new Uint8Array(6);
  for (let i = 5; i >= 0; i -= 1) {
    time[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  const [first = 0] = crypto.getRandomValues(new Uint16Array(1));
  return Array.from({ length: count }, (_, i) => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes.set(time);
    const counter = (first % 2048) + i;
    bytes.set([counter >> 8, counter % 256], 6);
    return written(bytes, 7);
  });
}

function written(bytes: Uint8Array, version: number): string {
  const own = Uint8Array.from(bytes);
  own[6] = ((own[6] ?? 0) & 0x0f) | (version << 4);
  own[8] = ((own[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(own, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
