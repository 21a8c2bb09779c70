/** The one union every generation speaks, on every backend, in a worker or over HTTP. Types only. */
import type { FinishReason, GenerateWarning, Timing, ToolCall, Usage } from "./generate.ts";
import type { DeviceReport } from "./runtime.ts";

/**
 * `stream-start` is first; `stream-end` is last in a stream that succeeded, nothing follows it.
 * Text never splits a character and never contains part of a stop string.
 * A failed stream throws a SpellError from the iterator: the only way to fail.
 */
export type StreamPart =
  | { readonly type: "stream-start"; readonly model: string; readonly device?: DeviceReport | undefined }
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "reasoning-delta"; readonly text: string }
  | ToolCall
  | ({ readonly type: "warning" } & GenerateWarning)
  | {
      readonly type: "stream-end";
      readonly finishReason: FinishReason;
      /** only where a stop string ended the answer: which */
      readonly stoppedBy?: string | undefined;
      readonly seed: number;
      readonly usage: Usage;
      readonly timing: Timing;
      /** only when several sequences were asked for, best first */
      readonly candidates?: readonly string[] | undefined;
      /** only with `jsonSchema`, where the answer is whole: the value of its text */
      readonly json?: unknown;
      /** only with `choices`, where the runtime tells: as in GenerateResult */
      readonly choiceLogprobs?: readonly number[] | undefined;
    };

/** A part of the answer to one of several prompts. */
export interface ManyPart {
  /** place of the prompt in the list */
  readonly index: number;
  readonly part: StreamPart;
}

/** The parts of one answer, or its text alone: one loop over one of the two. @throws SpellError run-option for a second loop */
export interface ModelStream extends AsyncIterable<StreamPart> {
  /** The text, piece by piece: `for await (const text of model.stream(prompt).textStream)`. @throws as the stream itself */
  readonly textStream: AsyncIterable<string>;
}
