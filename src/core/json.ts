/** Reads JSON of strangers: bounded in size and depth before JSON.parse sees it, with names that occur twice found. */

export interface JsonLimits {
  /** bytes of the text */
  readonly bytes: number;
  /** nested objects and arrays */
  readonly depth: number;
  /** objects and arrays in all; none given = no limit of its own */
  readonly containers?: number | undefined;
}

/** What the caller turns into its own error. */
export interface JsonDefect {
  readonly what: "size" | "encoding" | "syntax" | "depth" | "containers" | "duplicate";
  /** says wanted and got */
  readonly message: string;
}

/**
 * @param bytes UTF-8
 * @param fail makes the error; whatever it returns is thrown
 * @param refuseDuplicates a name that occurs twice in one object is a defect: JSON.parse would keep the last in silence
 */
export function readJson(bytes: Uint8Array, limits: JsonLimits, fail: (defect: JsonDefect) => Error, refuseDuplicates = false): unknown {
  if (bytes.byteLength > limits.bytes) {
    throw fail({ what: "size", message: `wanted at most ${limits.bytes} bytes of JSON; got ${bytes.byteLength}` });
  }
  if (bytes.byteLength === 0) throw fail({ what: "syntax", message: "wanted JSON; got no bytes" });
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw fail({ what: "encoding", message: "wanted UTF-8; got UTF-16" });
  }
  scan(bytes, limits, fail);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail({ what: "encoding", message: "wanted UTF-8; got bytes that are none" });
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text.slice(0, 200))) {
    throw fail({ what: "syntax", message: "wanted JSON; got a web page, saved under this name" });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail({ what: "syntax", message: `wanted JSON; got ${error instanceof Error ? error.message : "something else"}` });
  }
  if (refuseDuplicates) checkNames(text, fail);
  return value;
}

/** Depth and number of containers, over bytes: ASCII bytes never occur inside a longer UTF-8 character. Strings are skipped. */
function scan(bytes: Uint8Array, limits: JsonLimits, fail: (defect: JsonDefect) => Error): void {
  const mostContainers = limits.containers ?? Number.POSITIVE_INFINITY;
  let depth = 0;
  let containers = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x22) {
      at += 1;
      while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      containers += 1;
      if (depth > limits.depth) throw fail({ what: "depth", message: `wanted at most ${limits.depth} nested levels; got more` });
      if (containers > mostContainers) throw fail({ what: "containers", message: `wanted at most ${mostContainers} entries; got more` });
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
}

/** Names of each object, over text that JSON.parse accepted already. */
function checkNames(text: string, fail: (defect: JsonDefect) => Error): void {
  const open: (Set<string> | undefined)[] = [];
  let expectsName = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      const start = at;
      at += 1;
      while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      if (!expectsName) continue;
      expectsName = false;
      const name = JSON.parse(text.slice(start, at + 1)) as string;
      const names = open[open.length - 1];
      if (names?.has(name) === true)
        throw fail({ what: "duplicate", message: `${JSON.stringify(name.slice(0, 80))} occurs twice in one object` });
      names?.add(name);
    } else if (char === "{") {
      open.push(new Set());
      expectsName = true;
    } else if (char === "[") {
      open.push(undefined);
      expectsName = false;
    } else if (char === "}" || char === "]") open.pop();
    else if (char === ",") expectsName = open[open.length - 1] !== undefined;
  }
}

/** A JSON object as plain data: `__proto__` is a name like any other. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
