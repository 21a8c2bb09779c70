/**
 * Tokens are fetched one by one: wllama asks its worker for the next one when it has read the last, and until then nothing computes. Here the next one is asked
 * for together with the last, so that the worker always has something to do, however busy the thread is that reads.
 */

/** What is used of wllama's connection to its worker (3.13.0), which answers calls in their order. */
export interface WllamaProxy {
  wllamaAction(action: string, body: { readonly req_id?: number }): Promise<WllamaResult>;
}

export interface WllamaResult {
  readonly has_more?: boolean | undefined;
  /** a chunk of the answer */
  readonly data_json?: string | undefined;
}

/**
 * Only while an answer is written: a prompt is computed in batches, and an abort between two of them must not wait for a third. A request that is over answers
 * that it is.
 */
export function askAhead(proxy: WllamaProxy | undefined): void {
  if (typeof proxy?.wllamaAction !== "function") return;
  const ask = proxy.wllamaAction.bind(proxy);
  let ahead: { readonly id: number | undefined; readonly result: Promise<WllamaResult> } | undefined;
  /** the request that writes */
  let writing: number | undefined;
  proxy.wllamaAction = async (action, body) => {
    if (action !== "get_result") return ask(action, body);
    const { req_id: id } = body;
    const current = ahead?.id === id && ahead !== undefined ? ahead.result : ask(action, body);
    ahead = undefined;
    if (writing === id && id !== undefined) {
      ahead = { id, result: ask(action, body) };
      ahead.result.catch(() => undefined); // nobody may read it
    }
    const result = await current;
    writing = result.has_more === true && result.data_json?.includes('"prompt_progress"') === false ? id : undefined;
    return result;
  };
}
