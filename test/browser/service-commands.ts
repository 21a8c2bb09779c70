/** A service, for tests in a page: started in Node, asked by the page itself. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

declare module "vitest/browser" {
  interface BrowserCommands {
    /** @returns its address. It speaks as OpenAI and as Anthropic do; /away redirects. */
    startService(): Promise<string>;
    seenByService(): Promise<readonly { readonly url: string; readonly headers: IncomingHttpHeaders }[]>;
    stopService(): Promise<void>;
  }
}

const chat = ['{"choices":[{"delta":{"content":"Hello"}}]}', '{"choices":[{"delta":{},"finish_reason":"stop"}]}', "[DONE]"];
const message = [
  '{"type":"message_start","message":{"usage":{"input_tokens":1}}}',
  '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hello"}}',
  '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}',
  '{"type":"message_stop"}',
];

let server: Server | undefined;
let seen: { readonly url: string; readonly headers: IncomingHttpHeaders }[] = [];

export const serviceCommands = {
  async startService(): Promise<string> {
    seen = [];
    server = createServer((request, response) => {
      const allowed = request.headers["access-control-request-headers"] ?? "*";
      const open = { "access-control-allow-origin": "*", "access-control-allow-headers": allowed };
      if (request.method === "OPTIONS") return void response.writeHead(204, open).end();
      const { url = "", headers } = request;
      seen.push({ url, headers });
      if (url.startsWith("/away")) return void response.writeHead(307, { ...open, location: "/v1/chat/completions" }).end();
      const events = url.includes("/messages") ? message : chat;
      response.writeHead(200, { ...open, "content-type": "text/event-stream" }).end(events.map((each) => `data: ${each}\n\n`).join(""));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  seenByService: () => seen,
  async stopService(): Promise<void> {
    server?.closeAllConnections();
    server?.close();
  },
};
