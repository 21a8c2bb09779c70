/** A service, for tests in a page: started in Node, asked by the page itself. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as z from "zod";

declare module "vitest/browser" {
  interface BrowserCommands {
    /** @returns its address. It speaks as OpenAI and as Anthropic do; /away redirects. */
    startService(): Promise<string>;
    seenByService(): Promise<readonly { readonly url: string; readonly headers: IncomingHttpHeaders }[]>;
    stopService(): Promise<void>;
    /** A server of tools by the SDK of its protocol. @returns its address; pages may ask /mcp, and not /closed */
    startToolServer(): Promise<string>;
    seenByToolServer(): Promise<readonly { readonly method: string; readonly session: string | undefined }[]>;
    stopToolServer(): Promise<void>;
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

let toolServer: Server | undefined;
let asked: { readonly method: string; readonly session: string | undefined }[] = [];

function garden(): McpServer {
  const made = new McpServer({ name: "garden", version: "1.2.3" });
  made.registerTool("bed", { description: "What grows there", inputSchema: { name: z.enum(["north", "south"]) } }, ({ name }) => ({
    content: [{ type: "text", text: `${name}: leeks` }],
  }));
  made.registerTool("sum", { inputSchema: { values: z.array(z.number()) }, outputSchema: { sum: z.number() } }, ({ values }) => ({
    content: [],
    structuredContent: { sum: values.reduce((all, value) => all + value, 0) },
  }));
  return made;
}

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
  async startToolServer(): Promise<string> {
    const sessions = new Map<string, StreamableHTTPServerTransport>();
    asked = [];
    toolServer = createServer(async (request, response) => {
      const { method = "", url = "", headers } = request;
      const session = headers["mcp-session-id"] as string | undefined;
      if (url === "/mcp") {
        response.setHeader("access-control-allow-origin", headers.origin ?? "*");
        response.setHeader("access-control-expose-headers", "mcp-session-id");
      }
      if (method === "OPTIONS") {
        if (url === "/mcp") response.setHeader("access-control-allow-headers", "content-type, mcp-session-id, mcp-protocol-version");
        return void response.writeHead(204, { "access-control-allow-methods": "POST, DELETE" }).end();
      }
      asked.push({ method, session });
      const known = session === undefined ? undefined : sessions.get(session);
      const transport =
        known ??
        new StreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (id) => void sessions.set(id, transport),
        });
      if (known === undefined) await garden().connect(transport as never);
      await transport.handleRequest(request, response);
    }).listen(0, "127.0.0.1");
    await once(toolServer, "listening");
    return `http://127.0.0.1:${(toolServer.address() as AddressInfo).port}`;
  },
  seenByToolServer: () => asked,
  async stopToolServer(): Promise<void> {
    toolServer?.closeAllConnections();
    toolServer?.close();
  },
};
