/** What an engine needs before it can start, looked at while an error can still say what is missing. */
import { SpellError } from "../../core/errors.ts";

/**
 * Engines hang, or say nothing useful, where a page may not run WebAssembly or their file is not there; so this is found out before.
 * The answer is not read: the engine's own request takes it from the browser's cache.
 * @throws SpellError device-unavailable that names the header, or the address and what was wrong with it
 */
export async function checkWasm(address: string): Promise<void> {
  const refuse = (message: string, hint: string, cause?: unknown): SpellError =>
    new SpellError("device-unavailable", message, { where: address, hint, cause });
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the smallest there is
  } catch (cause) {
    throw refuse("this page may not run WebAssembly", "Its Content-Security-Policy needs 'wasm-unsafe-eval' in script-src.", cause);
  }
  const hint = "The page must serve this file of the engine, as application/wasm, from an address it may fetch from.";
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    throw refuse(`the engine's file cannot be fetched: no answer from ${address}`, hint, cause);
  }
  await response.body?.cancel();
  if (!response.ok) throw refuse(`the engine's file cannot be fetched: ${address} answered ${response.status}`, hint);
  const type = response.headers.get("content-type") ?? "";
  // A page where a file should be: hosts answer so to addresses they do not know.
  if (type.startsWith("text/html")) throw refuse(`the engine's file is not there: ${address} answered with a page (${type})`, hint);
}
