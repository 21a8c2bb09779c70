/** What a built-in tool is, and what it is run with. Types only. */
import type { ToolsConfig } from "../config/config.generated.ts";
import type { Isolate, ToolFiles, ToolReply } from "../platform.ts";

export type ToolCategory = "data" | "files" | "math" | "mcp" | "network" | "text" | "time" | "utility";

/** A schema of an object: draft 2020-12, in keywords that answers of models can be held to. */
export type ObjectSchema = Readonly<Record<string, unknown>> & { readonly type: "object" };

/** What is told of a tool. */
export interface ToolFacts {
  /** kebab-case */
  readonly name: string;
  /** for models and people: what it does, and when to take it */
  readonly description: string;
  readonly category: string;
  readonly version: string;
  readonly tags: readonly string[];
  /** of the input */
  readonly parameters: ObjectSchema;
  /** Of what it gives; its member `result` is what was asked for. */
  readonly output: ObjectSchema;
}

export interface ToolDefinition extends ToolFacts {
  readonly category: ToolCategory;
  /** Its schemas are a stranger's: what cannot be judged of them is left to its server. */
  readonly isForeign?: boolean | undefined;
  /** What it gives as errors may show it. */
  readonly hide?: (<T>(value: T) => T) | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: its own schema says what the input is
  run(input: any, context: ToolContext): unknown;
}

export interface ToolContext {
  /** aborted when the call is over, by its time too */
  readonly signal: AbortSignal;
  /** for what strangers can make endless */
  readonly isolate: Isolate;
  readonly settings: ToolsConfig;
  /** @throws SpellError tool-denied where the configuration gives no files, or the host has none */
  files(): Promise<ToolFiles>;
  /** Asks a server by the rules of the configuration. @throws SpellError tool-denied, net-* */
  request(question: ToolQuestion): Promise<ToolAnswer>;
}

/** One question to a server, and what follows its redirects. */
export interface ToolQuestion {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** The last answer, and where it came from. */
export type ToolAnswer = ToolReply & { readonly url: string };
