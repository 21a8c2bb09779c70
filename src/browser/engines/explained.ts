/** Why an engine did not start, in words: engines say little where a page may not run WebAssembly, or their file is not there. */
import { SpellError } from "../../core/errors.ts";

/**
 * The engine alone fetches its file. Only where it fails is the file asked for again, to say what is wrong with it.
 * @param address of its WebAssembly
 * @throws SpellError device-unavailable that names the header, or the address and what is wrong with it; else what the engine threw
 */
export async function explained<T>(address: string, start: () => Promise<T>): Promise<T> {
  const refuse = (message: string, hint: string, cause?: unknown): SpellError =>
    new SpellError("device-unavailable", message, { where: address, hint, cause });
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the smallest there is
  } catch (cause) {
    throw refuse("this page may not run WebAssembly", "Its Content-Security-Policy needs 'wasm-unsafe-eval' in script-src.", cause);
  }
  try {
    return await start();
  } catch (error) {
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
    throw error;
  }
}
