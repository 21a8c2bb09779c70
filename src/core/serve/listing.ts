/** What can be asked without a model: its names, the figures, and whether anybody is there. */
import { decodeUri } from "../values.ts";
import { version } from "../version.ts";
import type { Call } from "./call.ts";
import { json, safeHeaders } from "./refusals.ts";

export async function health(): Promise<Response> {
  return json({ status: "ok", version });
}

export async function metrics(call: Call): Promise<Response> {
  return new Response(call.metrics(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", ...safeHeaders } });
}

export async function listModels({ served, signal }: Call): Promise<Response> {
  return json({ object: "list", data: await served.cards(signal) });
}

export async function showModel({ served, pathname, signal }: Call): Promise<Response> {
  return json(await served.card(decodeUri(pathname.slice("/v1/models/".length)), signal));
}
