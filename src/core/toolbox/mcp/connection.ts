/** One connection to a server: its tools, and calls of them. Whatever the server does ends in a typed error, within a time. */
import { originOf } from "../../config/origin.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import { SpellError, throwIfAborted } from "../../errors.ts";
import { isObject, shown } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { McpClient, McpProgram, Platform } from "../../platform.ts";
import { joinWords, type ServerLine } from "../../spec/server-line.ts";
import { version as ownVersion } from "../../version.ts";
import { toolFailed, toolLimit } from "../failure.ts";
import { brokenAnswer, endedName, listFailed, resultOf, type ServerTool, seeServer, serverError, serverTools } from "./answers.ts";
import { guardedFetch } from "./guard.ts";
import { keeperOf } from "./keep.ts";
import { plain } from "./plain.ts";

export interface Connection {
  readonly tools: readonly ServerTool[];
  readonly isOver: boolean;
  /** @throws SpellError tool-failed, tool-limit, net-*, run-aborted */
  call(tool: ServerTool, input: unknown, signal: AbortSignal): Promise<{ readonly result: unknown }>;
  /** Data of the server as errors may show it. */
  hide<T>(value: T): T;
  close(): Promise<void>;
}

/** Lines and messages that are none of the protocol's, before the server is given up. */
const mostRubbish = 100;
/** Milliseconds for a message after a line that is none, while a server is opened: a greeting is passed over. */
const greetingMs = 3000;
const mostPages = 32;
/** Tools that are left out, each with a warning. */
const mostTold = 5;
const networkKey = "runtime.security.allow_network_access";
/** A schema to the SDK: its own refuse a whole list for one wrong tool. */
const anything = { safeParse: (data: unknown) => ({ success: true, data }) };

/** @param signal ends opening alone @throws SpellError tool-denied, tool-package, tool-failed, tool-limit, net-*, script-denied, run-aborted */
export async function openConnection(
  line: ServerLine,
  resolved: ResolvedConfig,
  platform: Platform,
  signal: AbortSignal,
): Promise<Connection> {
  const { config } = resolved;
  const { name, command, url, variables } = line;
  const { mcp } = platform;
  if (mcp === undefined)
    throw denied(
      line,
      platform.isPage === true
        ? "this page was made without the SDK: browserPlatform({ mcp: … })"
        : `${platform.name} has no SDK of the protocol`,
    );
  const origin = originOf(resolved, networkKey);
  if (url !== undefined && !config.runtime.security.allow_network_access)
    throw new SpellError("script-denied", `${name} is not asked: ${networkKey} does not allow it (configuration: ${origin})`, {
      where: networkKey,
      hint: "Tools may do this only where the configuration allows it.",
      actions: [{ kind: "show-config", section: "runtime" }],
    });
  const values = variables.map((variable) => [variable, platform.config?.env?.[variable]] as const);
  const missing = values.find(([, value]) => value === undefined || value === "");
  if (missing !== undefined)
    throw new SpellError("tool-denied", `${name}: expected the variable ${missing[0]}, which tools.mcp.servers names; got none`, {
      where: "tools.mcp.servers",
      actions: [{ kind: "set-variable", name: missing[0] }],
    });
  const sdk = await mcp.sdk();
  const { hide, hideIn } = keeperOf(values.flatMap(([, value]) => value ?? []));
  /** What the program said last. Hidden before it is cut: of half a secret nobody could tell what it is. */
  const said = (): string => hide(program?.said() ?? "");

  const seconds = config.tools.mcp.timeout_seconds;
  let fault: SpellError | undefined;
  let program: McpProgram | undefined;
  let [isOver, isOpen, rubbish] = [false, false, 0];
  const validator = { getValidator: () => (data: unknown) => ({ valid: true, data }) };
  // schemas are judged here, as those of all tools; the SDK's own judge compiles code
  const client: McpClient = new sdk.Client({ name: "llmspell", version: ownVersion }, { capabilities: {}, jsonSchemaValidator: validator });
  let greeting: ReturnType<typeof setTimeout> | undefined;
  const greeted = (): void => {
    clearTimeout(greeting);
    greeting = undefined;
  };
  /** What it wrote in place of a message. */
  const strayText = (): string => plain(hide(program?.stray() ?? ""), 80);
  const nonsense = (): void => {
    const text = strayText();
    fail(
      toolFailed(name, `expected messages of the protocol, got other text${text === "" ? "" : `: ${shown(text)}`}`).with({
        hint: seeServer,
      }),
    );
  };
  const close = async (): Promise<void> => {
    isOver = true;
    greeted();
    await Promise.all([client.close().catch(() => undefined), program?.kill()]);
  };
  const fail = (error: SpellError): void => {
    fault ??= error;
    void close();
  };
  /** An error of what did not come, with what came instead. */
  const withStray = (error: SpellError): SpellError => {
    const text = strayText();
    return text === "" ? error : error.with({ message: `${error.message}; it wrote ${shown(text)}, which is no message` });
  };
  client.onclose = () => {
    isOver = true;
    void program?.kill();
  };
  client.onerror = (error) => {
    platform.log({ level: "debug", message: `${name}: ${plain(hide(error.message), 200)}` });
    if (/maximum size/.test(error.message))
      fail(toolLimit(name, `expected an answer of at most ${limits.toolAnswerBytes} bytes, got a longer one`));
    const broken = brokenAnswer(name, error, hide);
    if (broken !== undefined) fail(broken);
    rubbish += 1;
    if (rubbish > mostRubbish) nonsense();
    else if (!isOpen && isNoMessage(error)) greeting ??= setTimeout(nonsense, greetingMs);
  };
  const asked = async <T>(
    outer: AbortSignal,
    ask: (options: { readonly signal: AbortSignal; readonly timeout: number }) => Promise<T>,
  ): Promise<T> => {
    throwIfAborted(outer);
    let isLate = false;
    // as long as the SDK's, and set before it: a server can answer with the number of the SDK's error
    const clock = setTimeout(() => (isLate = true), seconds * 1000);
    try {
      // a signal of its own: the SDK leaves its listeners there
      const answer = await ask({ signal: AbortSignal.any([outer]), timeout: seconds * 1000 });
      greeted();
      return answer;
    } catch (error) {
      throwIfAborted(outer);
      // it has forgotten us: the next use opens anew
      if (isObject(error) && error["code"] === 404) void close();
      const told = serverError(name, isLate || isOver ? ownError(error, program?.ending() ?? "") : error, seconds, said(), hide);
      throw hideIn(fault ?? (isLate ? withStray(told) : told));
    } finally {
      clearTimeout(clock);
    }
  };

  try {
    const token = values[0]?.[1];
    if (url === undefined) {
      if (mcp.start === undefined) throw denied(line, `${platform.name} starts no programs`);
      program = await mcp.start(
        command as readonly string[],
        Object.fromEntries(values) as Readonly<Record<string, string>>,
        limits.toolAnswerBytes,
      );
    }
    const fetch = url === undefined ? undefined : await guardedFetch(line, config.tools, platform, token, fail);
    const transport = program?.transport ?? new sdk.StreamableHTTPClientTransport(url as URL, { fetch });
    // all of opening together: a list of pages could go on for ever
    const opening = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
    const listed: unknown[] = [];
    await asked(opening, (options) => client.connect(transport, options));
    let cursor: string | undefined;
    for (let page = 1; ; page += 1) {
      const given = cursor === undefined ? {} : { cursor };
      const answer = await asked(opening, (options) => client.request({ method: "tools/list", params: given }, anything, options));
      const { tools, nextCursor } = isObject(answer) ? answer : {};
      if (!Array.isArray(tools)) throw listFailed(name, `expected a list of tools, got ${shown(hide(tools))}`);
      for (const tool of tools as readonly unknown[]) listed.push(tool);
      if (listed.length > limits.serverTools || page > mostPages)
        throw toolLimit(name, `expected at most ${limits.serverTools} tools, got more`);
      if (typeof nextCursor !== "string") break;
      cursor = nextCursor;
    }
    const about = client.getServerVersion();
    const version = isObject(about) ? about["version"] : undefined;
    const leftOut: SpellError[] = [];
    const tools = serverTools(name, plain(typeof version === "string" ? version : "", 40), hide(listed), (problem) =>
      leftOut.push(problem),
    );
    const warn = (message: string): void => platform.log({ level: "warn", message });
    for (const { message } of leftOut.slice(0, mostTold)) warn(`a tool is left out: ${plain(message, 500)}`);
    if (leftOut.length > mostTold) warn(`${leftOut.length - mostTold} more tools of ${name} are left out`);
    isOpen = true;
    program?.release();
    return {
      tools,
      get isOver() {
        return isOver;
      },
      call: (tool, input, own) =>
        asked(own, async (options) => {
          const params = { name: tool.ownName, arguments: input };
          const answer = await client.request({ method: "tools/call", params }, anything, options);
          return resultOf(tool.name, answer, hide);
        }),
      hide,
      close,
    };
  } catch (error) {
    await close();
    throwIfAborted(signal);
    throw hideIn(
      error instanceof SpellError && error.code !== "run-aborted" ? error : withStray(serverError(name, lateError, seconds, said(), hide)),
    );
  }
}

/** What the SDK throws for text that is no JSON, and for JSON that is no message. */
function isNoMessage(error: Error): boolean {
  return error instanceof SyntaxError || Array.isArray((error as { issues?: unknown }).issues);
}

/** What the SDK itself says of a request, once nothing came in time or the connection ended. */
function ownError(error: unknown, ending: string): unknown {
  const code = isObject(error) || error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return code === -32001 ? lateError : code === -32000 ? Object.assign(new Error(ending), { name: endedName }) : error;
}

const lateError = Object.assign(new Error("late"), { name: "TimeoutError" });

function denied({ name, command, url }: ServerLine, why: string): SpellError {
  return new SpellError("tool-denied", `${name}: ${url?.host ?? joinWords(command ?? [])} is not reached: ${why}`, { where: name });
}
