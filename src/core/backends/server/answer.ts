/** A whole answer of a service as JSON. */
import type { SpellError } from "../../errors.ts";
import { readJson } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { Sender } from "./send.ts";

/** @param broken of an answer that is none. @throws SpellError net-*, run-aborted, and what `broken` makes */
export async function readAnswer(
  sender: Pick<Sender, "read">,
  answer: Awaited<ReturnType<Sender["send"]>>,
  mostBytes: number,
  broken: (problem: string) => SpellError,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of sender.read(answer, signal)) {
    size += chunk.byteLength;
    if (size > mostBytes) throw broken(`more than ${mostBytes} bytes`);
    chunks.push(chunk as Uint8Array<ArrayBuffer>);
  }
  const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
  return readJson(bytes, { bytes: mostBytes, depth: limits.jsonDepth }, ({ message }) => broken(`with something else: ${message}`));
}
