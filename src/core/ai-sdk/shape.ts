/**
 * What the AI SDK calls and gets, in its shape v3 (`@ai-sdk/provider` 3, which AI SDK 6 and 7 take). Written here by shape, so that nothing has to be
 * installed for it; a test holds it against the real types. Lists can be changed there, so they can here.
 */

/** LanguageModelV3CallOptions; every member is checked where it is read. */
export type AiSdkCallOptions = Readonly<Record<string, unknown>>;

export type AiSdkWarning =
  | { type: "unsupported"; feature: string; details?: string }
  | { type: "compatibility"; feature: string; details?: string }
  | { type: "other"; message: string };

export interface AiSdkUsage {
  inputTokens: { total: number; noCache: number; cacheRead: number | undefined; cacheWrite: undefined };
  outputTokens: { total: number; text: undefined; reasoning: undefined };
}

export interface AiSdkFinish {
  finishReason: { unified: "stop" | "length" | "tool-calls" | "other"; raw: string };
  usage: AiSdkUsage;
  /** `seed`, and `warnings` that came after the first text */
  providerMetadata: { llmspell: { seed: number; warnings?: string[] } };
}

export type AiSdkContent = { type: "text"; text: string } | { type: "reasoning"; text: string } | AiSdkToolCall;

/** `input` is JSON. */
export interface AiSdkToolCall {
  type: "tool-call";
  toolCallId: string;
  toolName: string;
  input: string;
}

export type AiSdkStreamPart =
  | { type: "stream-start"; warnings: AiSdkWarning[] }
  | { type: "response-metadata"; id: string; modelId: string; timestamp: Date }
  | { type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end" | "tool-input-end"; id: string }
  | { type: "text-delta" | "reasoning-delta" | "tool-input-delta"; id: string; delta: string }
  | { type: "tool-input-start"; id: string; toolName: string }
  | AiSdkToolCall
  | ({ type: "finish" } & AiSdkFinish)
  | { type: "error"; error: unknown };

/** A LanguageModelV3. */
export interface AiSdkLanguageModel {
  readonly specificationVersion: "v3";
  readonly provider: string;
  readonly modelId: string;
  /** none: files are not fetched, and not read */
  supportedUrls: Record<string, RegExp[]>;
  /** @throws SpellError as spell.load() and LanguageModel.stream() */
  doGenerate(options: AiSdkCallOptions): Promise<
    AiSdkFinish & {
      content: AiSdkContent[];
      response: { id: string; modelId: string; timestamp: Date };
      warnings: AiSdkWarning[];
    }
  >;
  /** Errors come as a part `error`; leaving the stream ends the answer. */
  doStream(options: AiSdkCallOptions): Promise<{ stream: ReadableStream<AiSdkStreamPart> }>;
}

/** An EmbeddingModelV3. */
export interface AiSdkEmbeddingModel {
  readonly specificationVersion: "v3";
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  /** @throws SpellError as spell.embed() */
  doEmbed(options: AiSdkCallOptions): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: AiSdkWarning[] }>;
}
