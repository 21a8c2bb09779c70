/**
 * What a caller and the process or worker that holds an engine say to each other. Types and numbers only.
 * Both ends come from the same build, so nothing here has a version; what arrives is still only acted on where it fits a pending call.
 */
import type { SpellErrorJson } from "../errors.ts";
import type { Device, DeviceProbe, DeviceReport, EmbeddedText, ManyPiece, ModelHandle, ModelPiece, ScoredText } from "../spec/runtime.ts";

/** Options as they travel: without what only works inside one thread. */
export type Plain<O> = Omit<O, "signal" | "onProgress">;

/** A file as the engine sees it; bytes are asked back from the caller where it has neither path nor Blob. */
export interface EngineFile {
  readonly name: string;
  readonly size: number;
  readonly path?: string | undefined;
  /** Only between threads of one browser: the bytes stay where they are. */
  readonly blob?: Blob | undefined;
  readonly version?: string | undefined;
}

export type ToEngine =
  /** before any open */
  | { readonly type: "probe"; readonly device: Device }
  | {
      readonly type: "open";
      readonly files: readonly EngineFile[];
      /** of the engine's own open() */
      readonly options: Plain<object>;
    }
  | {
      readonly type: "generate";
      readonly call: number;
      /** several: the engine's generateMany() */
      readonly prompt: string | readonly string[];
      /** of the engine's own generate() */
      readonly options: Plain<object>;
    }
  | {
      readonly type: "embed";
      readonly call: number;
      readonly texts: readonly string[];
      /** of the engine's own embed() */
      readonly options: Plain<object>;
    }
  | {
      readonly type: "rerank";
      readonly call: number;
      readonly query: string;
      readonly texts: readonly string[];
      /** of the engine's own rerank() */
      readonly options: Plain<object>;
    }
  /** so many pieces were taken */
  | { readonly type: "credit"; readonly call: number; readonly pieces: number }
  | { readonly type: "cancel"; readonly call: number }
  | { readonly type: "bytes"; readonly read: number; readonly bytes: Uint8Array }
  | { readonly type: "no-bytes"; readonly read: number; readonly error: SpellErrorJson };

export type Piece = ModelPiece | ManyPiece | EmbeddedText | ScoredText;

export type FromEngine =
  | { readonly type: "beat" }
  | { readonly type: "probed"; readonly probe: DeviceProbe }
  /** the first one, of share 0 or more, also says that the engine itself works: what fails from here on is the model's doing */
  | { readonly type: "progress"; readonly share: number }
  | { readonly type: "opened"; readonly handle: OpenedHandle }
  /** call 0 is the open */
  | { readonly type: "failed"; readonly call: number; readonly error: SpellErrorJson }
  /** one or more */
  | { readonly type: "pieces"; readonly call: number; readonly pieces: readonly Piece[] }
  | { readonly type: "read"; readonly read: number; readonly file: number; readonly offset: number; readonly length: number };

/** The plain data of a ModelHandle. */
export interface OpenedHandle {
  readonly device: DeviceReport;
  readonly contextLength: number;
  readonly unsupported: ModelHandle<never>["unsupported"];
  readonly notes: readonly string[];
  /** whether it has generateMany() */
  readonly answersMany: boolean;
  /** numbers of a vector, where it has embed() */
  readonly dimensions?: number | undefined;
  readonly countsTokens?: boolean | undefined;
  /** whether it has rerank() */
  readonly reranks: boolean;
}

/** Pieces on their way that the reader has not taken yet; the engine waits there. Enough to hide the way between processes, little enough to stop soon. */
export const maxUnreadPieces = 64;
/** Pieces taken before the caller says so: one message for many. */
export const creditStep = 32;
/** Pieces that come faster than this share a message: a message costs two threads more than a small model's token does. The first and the last never wait. */
export const frameMs = 16;
/** An engine's side says that it lives this often. */
export const beatMs = 1000;
/** Without a word for this long, while an answer is due, the engine counts as dead. Its event loop only ever waits, but a busy machine may keep it from running. */
export const silenceMs = 20_000;
/** A look at a device takes longer only where its driver hangs. */
export const probeMs = 20_000;
/** ONNX Runtime, also under transformers.js, holds its thread while it computes: the encoder pass of a large model over a long input takes that long. */
export const blockingSilenceMs = 300_000;
