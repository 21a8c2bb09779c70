/** Reads untrusted JSON: size and depth are checked before JSON.parse sees it; names that occur twice are found. */

export interface JsonLimits {
  /** bytes of the text */
  readonly bytes: number;
  /** nested objects and arrays */
  readonly depth: number;
  /** objects and arrays in all; default: no limit */
  readonly containers?: number | undefined;
}

/** What is wrong; the caller makes its error of it. */
export interface JsonDefect {
  readonly what: "size" | "encoding" | "syntax" | "depth" | "containers" | "duplicate";
  /** says expected and got */
  readonly message: string;
}

/**
 * @param bytes UTF-8
 * @param fail makes the error that is thrown
 * @param refuseDuplicates a name that occurs twice in one object is a defect: JSON.parse would silently keep the last
 */
export function readJson(bytes: Uint8Array, limits: JsonLimits, fail: (defect: JsonDefect) => Error, refuseDuplicates = false): unknown {
  const defect = (what: JsonDefect["what"], expected: string, got: string | number): Error =>
    fail({ what, message: `expected ${expected}, got ${got}` });
  if (bytes.byteLength > limits.bytes) throw defect("size", `at most ${limits.bytes} bytes of JSON`, bytes.byteLength);
  if (bytes.byteLength === 0) throw defect("syntax", "JSON", "no bytes");
  const mark = `${bytes[0]},${bytes[1]}`;
  if (mark === "255,254" || mark === "254,255") throw defect("encoding", "UTF-8", "UTF-16");
  scan(bytes, limits, defect);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw defect("encoding", "UTF-8", "other bytes");
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text.slice(0, 200))) throw defect("syntax", "JSON", "a web page");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw defect("syntax", "JSON", error instanceof Error ? error.message : "something else");
  }
  if (refuseDuplicates) checkNames(text, fail);
  return value;
}

type MakeDefect = (what: JsonDefect["what"], expected: string, got: string) => Error;

/** Checks depth and number of containers, over bytes: ASCII bytes never occur inside a longer UTF-8 character. Strings are skipped. */
function scan(bytes: Uint8Array, limits: JsonLimits, defect: MakeDefect): void {
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
      if (depth > limits.depth) throw defect("depth", `at most ${limits.depth} nested levels`, "more");
      if (containers > mostContainers) throw defect("containers", `at most ${mostContainers} entries`, "more");
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
}

/** Finds a name that occurs twice in one object, in text that JSON.parse accepted. */
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

/** A JSON object. Its keys are data, `__proto__` too. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A whole number of 0 or more that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * JSON.parse(), but numbers that a double cannot hold stay text, as in scripts: whole numbers of which digits would be lost, and those beyond its range.
 * @throws SyntaxError
 */
export function parseWholeJson(text: string): unknown {
  // texts first: what looks like a number inside one is none
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => (token.startsWith('"') || isHeld(token) ? token : `"${token}"`)),
  ) as unknown;
}

/** Also true of what is no number of JSON: the parser says so. */
function isHeld(token: string): boolean {
  const value = Number(token);
  if (/^-?[1-9]\d{15,400}$/.test(token)) return String(value) === token || (Number.isFinite(value) && BigInt(value) === BigInt(token));
  return !/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(token) || Number.isFinite(value);
}

/** A value that was given, in a message: text in quotes, data as JSON, cut short. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  try {
    return String(JSON.stringify(value)).slice(0, 80);
  } catch {
    return "another object";
  }
}
