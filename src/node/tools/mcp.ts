/** Servers of tools in Node: the official SDK of the Model Context Protocol, programs it starts, and fetch that connects to judged addresses alone. */
import type { ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { SpellError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { McpProgram, McpSdk, McpTransport, ToolHop } from "../../core/platform.ts";
import { installCommand, isInstalled } from "../engines/packages.ts";
import { whenExiting } from "../when-exiting.ts";
import { reapWhenGone } from "./reaper.ts";
import { checkedLookup } from "./request.ts";

const packageName = "@modelcontextprotocol/sdk";

/** Not `import()` of a name: bundlers of servers take that for a module that has to be there. @throws SpellError tool-package */
async function part<T>(file: string): Promise<T> {
  if (!isInstalled(`${packageName}/${file}`)) {
    throw new SpellError("tool-package", `the package ${packageName} is not installed`, {
      where: packageName,
      actions: [{ kind: "shell", line: installCommand(packageName) }],
    });
  }
  const here = import.meta.url;
  return (await import(pathToFileURL(createRequire(here).resolve(`${packageName}/${file}`)).href)) as T;
}

/** @throws SpellError tool-package */
export async function sdk(): Promise<McpSdk> {
  const [client, http] = await Promise.all([
    part<Pick<McpSdk, "Client">>("client/index.js"),
    part<Pick<McpSdk, "StreamableHTTPClientTransport">>("client/streamableHttp.js"),
  ]);
  return { Client: client.Client, StreamableHTTPClientTransport: http.StreamableHTTPClientTransport };
}

/** What is used of the SDK's transport. */
interface StdioTransport extends McpTransport {
  start(): Promise<void>;
  readonly stderr: NodeJS.ReadableStream | null;
}
interface StdioPart {
  readonly StdioClientTransport: new (options: object) => StdioTransport;
}

/** Milliseconds a program has to end by itself when its input has ended. */
const graceMs = 500;
/** Characters that are kept of standard error: a secret in the part that errors show is there as a whole, or could not be told. */
const saidLength = 16_384;

/** It is given PATH, HOME and the few others that the SDK lists, and `variables`. */
export async function start(
  [command = "", ...args]: readonly string[],
  variables: Readonly<Record<string, string>>,
  mostBytes: number,
): Promise<McpProgram> {
  const { StdioClientTransport } = await part<StdioPart>("client/stdio.js");
  const transport = new StdioClientTransport({ command, args, env: variables, stderr: "pipe", maxBufferSize: mostBytes });
  let said = "";
  transport.stderr?.on("data", (piece: Buffer) => {
    said = (said + piece.toString("utf8")).slice(-saidLength);
  });
  const lines = strayLine();
  let child: ChildProcess | undefined;
  let killed: Promise<void> | undefined;
  const killNow = (): void => void child?.kill("SIGKILL");
  const begin = transport.start.bind(transport);
  transport.start = async () => {
    await begin();
    child = Reflect.get(transport, "_process") as ChildProcess | undefined;
    if (child?.pid === undefined) return;
    // before the SDK's own: its error comes with the line
    child.stdout?.prependListener("data", lines.add);
    const settled = [whenExiting(killNow), reapWhenGone(child.pid)];
    child.once("exit", () => {
      for (const settle of settled) settle();
    });
  };
  return {
    transport,
    said: () => said,
    stray: lines.found,
    ending() {
      const { exitCode = null, signalCode = null } = child ?? {};
      if (exitCode !== null) return `with status ${exitCode}`;
      return signalCode === null ? "" : `by ${signalCode}`;
    },
    release() {
      child?.unref();
      for (const pipe of [child?.stdin, child?.stdout, child?.stderr]) (pipe as { unref?(): void } | null | undefined)?.unref?.();
    },
    async kill() {
      const dying = child;
      if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
      dying.stdin?.end();
      // once: a server that floods is ended with each of its messages
      killed ??= new Promise<void>((resolve) => {
        const timer = setTimeout(killNow, graceMs);
        dying.once("exit", () => {
          clearTimeout(timer);
          resolve();
        });
      });
      await killed;
    },
  };
}

/** Finds the first line that is no message, as it comes in pieces. */
function strayLine() {
  const decoder = new TextDecoder();
  let [first, line] = ["", ""];
  return {
    add(piece: Buffer): void {
      if (first !== "") return;
      const [begun = "", ...more] = decoder.decode(piece, { stream: true }).split("\n");
      for (const next of [undefined, ...more]) {
        if (next !== undefined && first === "" && line.trim() !== "" && !isMessage(line)) first = line;
        line = (next === undefined ? line + begun : next).slice(0, saidLength);
      }
    },
    found: (): string => first || (/^\s*[^\s{]/.test(line) ? line : ""),
  };
}

/** A long one is not read: what begins as an object is one. */
function isMessage(line: string): boolean {
  if (line.length === saidLength) return /^\s*\{/.test(line);
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) && value["jsonrpc"] === "2.0";
  } catch {
    return false;
  }
}

/** Without a proxy, as `http-request`: behind one nobody can say where a request leads. */
export async function checkedFetch(problemOf: ToolHop["problemOf"]): Promise<typeof globalThis.fetch> {
  const { Agent, fetch } = await import("undici");
  // an idle connection must not hold the process
  const dispatcher = new Agent({ connect: { lookup: checkedLookup(problemOf) }, keepAliveTimeout: 1000 });
  const ask = fetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return (input, init) => ask(input, { ...init, dispatcher });
}
