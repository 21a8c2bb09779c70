/** What a server on loopback must survive, row by row, over real sockets (H1 – H30). What needs no socket is in test/core/serve. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import { describe, expect, it, vi } from "vitest";
import { bodyBytes } from "../../../src/core/serve/body.ts";
import { listen } from "../../../src/node/serve/listen.ts";
import { failure } from "../../support/failure.ts";
import { isLong } from "../../support.ts";
import { post, question, raw, serveScripted, statusOf, wire } from "./server.ts";

const token = "0123456789abcdef0123456789abcdef";
const origin = "https://app.example.org";
const slow = { stepMs: 5 };
const endless = { ...question, max_tokens: 4000, stream: true };

describe("who may ask", () => {
  it("H2: the address itself, by its exact name, once", async () => {
    const { port } = await serveScripted();
    const ask = async (lines: string, target = "/health", version = "1.1"): Promise<string> =>
      raw(port, `GET ${target} HTTP/${version}\r\n${lines}Connection: close\r\n\r\n`);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) expect(statusOf(await ask(`Host: ${host}:${port}\r\n`))).toBe(200);
    expect(statusOf(await ask(`Host: localhost:${port}\r\n`, "/health", "1.0"))).toBe(200);
    const wrong = ["evil.example", "localhost.evil.com", "127.0.0.1.nip.io", "localhost.", "LOCALHOST", "[::ffff:127.0.0.1]"];
    for (const host of wrong) expect(await ask(`Host: ${host}:${port}\r\n`)).toMatch(/^HTTP\/1\.1 403 [\s\S]*"code":"http-host"/);
    const others = [`Host: localhost:${port + 1}\r\n`, "", `Host: localhost:${port}\r\nHost: evil.example\r\n`, "Host:\r\n"];
    for (const lines of others) expect(statusOf(await ask(lines))).toBe(403);
    expect(statusOf(await ask("", "/health", "1.0"))).toBe(403);
    expect(statusOf(await ask(`Host: localhost:${port}\r\n`, "http://evil.example/health"))).toBe(403);
  });

  it("H4, H6, H7, H25: pages of an allowed origin alone; headers that keep answers from being kept or guessed", async () => {
    const { url } = await serveScripted({}, { allowOrigins: [origin] });
    const plain = await fetch(`${url}/v1/models`);
    expect(Object.fromEntries(plain.headers)).toMatchObject({ "x-content-type-options": "nosniff", "cache-control": "no-store" });
    for (const name of ["access-control-allow-origin", "x-powered-by", "server"]) expect(plain.headers.has(name)).toBe(false);
    for (const other of ["https://evil.example", "null", "http://localhost:9999", "chrome-extension://abc"]) {
      const answer = await post(url, question, { headers: { origin: other } });
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    }
    expect((await post(url, question, { headers: { origin } })).headers.get("access-control-allow-origin")).toBe(origin);
    const preflight = (from: string): Promise<Response> =>
      fetch(`${url}/v1/chat/completions`, {
        method: "OPTIONS",
        headers: { origin: from, "access-control-request-headers": "x-stainless-os", "access-control-request-private-network": "true" },
      });
    expect((await preflight("https://evil.example")).status).toBe(403);
    const allowed = await preflight(origin);
    expect([allowed.status, allowed.headers.get("access-control-allow-headers")]).toEqual([204, "x-stainless-os"]);
    expect(allowed.headers.get("access-control-allow-private-network")).toBe("true");
  });

  it("H8: with the whole token; one of 1 MiB is too long a head for Node, 431; refusals do not tell it", async () => {
    const { url, port, refusals } = await serveScripted({}, { token });
    const ask = async (authorization?: string): Promise<number> =>
      (await fetch(`${url}/health`, authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await ask(`Bearer ${token}`)).toBe(200);
    for (const wrong of [undefined, "Bearer x", `Bearer ${token.slice(0, 20)}`, `Bearer ${token}${token}`])
      expect(await ask(wrong)).toBe(401);
    expect((await fetch(`${url}/health?token=${token}&api_key=${token}`)).status).toBe(401);
    const long = `GET /health HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${"a".repeat(2 ** 20)}\r\n\r\n`;
    expect(await raw(port, long)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"http-size"/);
    expect(JSON.stringify(refusals)).not.toContain(token.slice(0, 10));
  });

  it("H26, H1: says why it cannot listen", async () => {
    const { port } = await serveScripted();
    const never = async (): Promise<Response> => new Response();
    const inUse = { code: "usage-value", where: "--port", message: `port ${port} of 127.0.0.1 is in use; expected a free one` };
    expect(await failure(listen(never, { port }))).toMatchObject(inUse);
    for (const host of ["192.0.2.1", "no-such-host.invalid"])
      expect(await failure(listen(never, { port: 0, host }))).toMatchObject({ code: "usage-value", where: "--host" });
  });
});

describe("what is asked", () => {
  it("has one record and one count for each request, also for what is refused before and while it is read", async () => {
    const { url, port, records } = await serveScripted({}, { token });
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n`;
    const known = `${head}Authorization: Bearer ${token}\r\n`;
    await raw(port, `${head}Content-Length: 2\r\n\r\n{}`);
    await raw(port, `${known}Content-Length: ${bodyBytes + 1}\r\n\r\n{}`);
    expect(await raw(port, "GARBAGE\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 [\s\S]*x-request-id: req_/);
    const cut = wire(port);
    cut.socket.end(`${known}Content-Length: 100\r\n\r\n{"model":`);
    await cut.ended;
    await vi.waitUntil(() => records.length === 4);
    expect(records.map(({ method, path, status, error }) => [method, path, status, error])).toEqual([
      ["POST", "/v1/chat/completions", 401, "http-token"],
      ["POST", "/v1/chat/completions", 413, "http-size"],
      ["?", "other", 400, "http-body"],
      ["POST", "/v1/chat/completions", 400, "http-body"],
    ]);
    expect(records.every(({ id, durationMs }) => id.startsWith("req_") && durationMs >= 0)).toBe(true);
    const figures = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
    expect(figures).toContain('llmspell_requests_total{path="/v1/chat/completions",status="413"} 1\n');
    expect(figures).toContain("llmspell_requests_running 1\n");
  });

  it("H5, H9: JSON as it is, of at most 4 MiB", async () => {
    const { url, port } = await serveScripted();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
      expect((await post(url, question, { headers: { "content-type": type } })).status).toBe(415);
    expect((await post(url, question, { headers: { "content-encoding": "gzip" } })).status).toBe(415);
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n`;
    expect(await raw(port, `${head}Content-Length: ${bodyBytes + 1}\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"http-size"/);
    // endless chunks: no more than the limit is taken, and the connection ends
    const { socket, ended } = wire(port);
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const piece = `10000\r\n${" ".repeat(65_536)}\r\n`;
    let taken = 0;
    const pump = (): void => {
      while (!socket.destroyed && taken < 8 * bodyBytes) {
        taken += 65_536;
        if (!socket.write(piece)) return void socket.once("drain", pump);
      }
    };
    pump();
    expect(statusOf(await ended)).toBe(413);
    expect(taken).toBeLessThan(4 * bodyBytes);
    // fewer bytes than were announced: who still listens is told, and the server goes on
    const lying = wire(port);
    lying.socket.end(`${head}Content-Length: 100\r\n\r\n{"model":`);
    expect(await lying.ended).toMatch(/^HTTP\/1\.1 400 [\s\S]*"message":"expected a whole request, got a part"/);
    const cut = wire(port);
    cut.socket.end(`${head.replace("/v1/chat/completions", "/v1/messages")}Content-Length: 100\r\n\r\n{`);
    expect(await cut.ended).toContain('{"type":"error","error":{"type":"invalid_request_error"');
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it("H10, H11, H13, H21, H28: bodies, fields, models and schemas that are wrong are named, and nothing of this machine is", async () => {
    const { url } = await serveScripted();
    const told = async (body: unknown): Promise<unknown> => {
      const answer = await post(url, body);
      const text = await answer.text();
      expect(text).not.toMatch(/\/(home|tmp|work|root)\/|at \S+ \(|node_modules/);
      const { error } = JSON.parse(text) as { error: { code: string; param: string | null } };
      return [answer.status, error.code, error.param];
    };
    for (const body of ["{", "[]", "[".repeat(10_000), '{"a":1,"a":2}', '{"__proto__":{}}', "\ufeff{}", "\0", ""])
      expect(await told(body)).toEqual([400, "http-body", null]);
    const wrong = {
      temperature: -1,
      top_p: "5",
      n: 1000,
      max_tokens: 2 ** 31,
      seed: 2 ** 64,
      stop: Array.from({ length: 10_000 }, () => "x"),
      messages: [],
    };
    for (const [name, value] of Object.entries(wrong))
      expect(await told({ ...question, [name]: value })).toEqual([400, "http-field", name]);
    for (const model of ["../x", "/etc/passwd", "no-such-model", "https://evil.example/x.gguf"])
      expect(await told({ ...question, model })).toEqual([404, "model_not_found", "model"]);
    const schema = { $ref: "#" };
    const hostile = { ...question, response_format: { type: "json_schema", json_schema: { name: "x", schema } } };
    expect(await told(hostile)).toEqual([400, "run-option", "response_format.json_schema.schema"]);
  });

  it("H18, H19: three methods, one request after the other, and nothing that two parsers read in two ways", async () => {
    const { url, port } = await serveScripted();
    const host = `Host: localhost:${port}\r\n`;
    const get = `GET /health HTTP/1.1\r\n${host}`;
    expect((await raw(port, `${get}\r\n${get}Connection: close\r\n\r\n`)).match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    const head = await fetch(`${url}/v1/models`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    for (const [method, path, status, allow] of [
      ["PUT", "/v1/models", 405, "GET, HEAD"],
      ["DELETE", "/v1/chat/completions", 405, "POST"],
      ["OPTIONS", "/v1/models", 405, "GET, HEAD"],
      ["DELETE", "/api/delete", 404, null],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { method, ...(method !== "OPTIONS" && { body: "{}" }) });
      expect([answer.status, answer.headers.get("allow")]).toEqual([status, allow]);
      await answer.text();
    }
    expect(statusOf(await raw(port, `TRACE / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`))).toBe(405);
    expect(await raw(port, `CONNECT evil.example:443 HTTP/1.1\r\n${host}\r\n`)).toBe("");
    expect(statusOf(await raw(port, `${get}Connection: close, upgrade\r\nUpgrade: websocket\r\n\r\n`))).toBe(200);
    const start = `POST /v1/chat/completions HTTP/1.1\r\n${host}Content-Type: application/json\r\n`;
    const doubtful = [
      `${start}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      `${start}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `GET /health HTTP/1.1\nHost: localhost:${port}\n\n`,
      `${get}X-A: b\r\n folded\r\n\r\n`,
    ];
    for (const text of doubtful)
      expect([text, await raw(port, text)]).toEqual([text, expect.stringMatching(/^HTTP\/1\.1 400 [\s\S]*"error":\{/)]);
  });

  if (isLong)
    it("H14: slowly: the connection ends", { timeout: 40_000 }, async () => {
      const { port } = await serveScripted();
      const { socket, ended } = wire(port);
      socket.write("GET /health HTTP/1.1\r\nHo");
      const drip = setInterval(() => socket.write("x"), 4000);
      const started = performance.now();
      expect(await ended).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"http-body"/);
      clearInterval(drip);
      expect(performance.now() - started).toBeLessThan(16_000);
    });
});

describe("clients that leave, stop reading, or are many", () => {
  it("H16: one that leaves frees the model within 300 ms", async () => {
    const { url, records } = await serveScripted(slow);
    const stop = new AbortController();
    const answer = await post(url, endless, { signal: stop.signal });
    await answer.body?.getReader().read();
    const left = performance.now();
    stop.abort();
    await vi.waitUntil(() => records.length === 1, { timeout: 5000, interval: 5 });
    expect(performance.now() - left).toBeLessThan(300);
    expect(records).toMatchObject([{ hasLeft: true }]);
    // one that leaves before its answer began, too
    const before = new AbortController();
    const asked = post(url, { ...endless, stream: false }, { signal: before.signal }).catch((error: Error) => error.name);
    await sleep(50);
    before.abort();
    expect(await asked).toBe("AbortError");
    await vi.waitUntil(() => records.length === 2, { timeout: 5000 });
    expect((await post(url, question)).status).toBe(200);
  });

  it("H15: one that stops reading is left after a while", async () => {
    const long = "word ".repeat(4000);
    const { port, records, url } = await serveScripted({ answer: () => Array.from({ length: 4000 }, () => long) }, { stallMs: 200 });
    const { socket, ended } = wire(port);
    socket.pause();
    const body = JSON.stringify(endless);
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/json\r\n`;
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    await vi.waitUntil(() => records.length === 1, { timeout: 10_000 });
    expect(records).toMatchObject([{ hasLeft: true }]);
    socket.resume();
    await ended;
    expect((await post(url, question)).status).toBe(200);
  });

  it("H17: sixteen wait, the rest are told to come again; 128 connections are held", async () => {
    const { url, port } = await serveScripted(slow);
    const holds = new AbortController();
    // kept: an answer that nobody holds is given up when memory is collected
    const held = await post(url, endless, { signal: holds.signal });
    const counts = new Map<number, number>();
    const asked = Array.from({ length: 50 }, async () => {
      const answer = await post(url, question);
      counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
      return answer;
    });
    await vi.waitUntil(() => counts.get(429) === 34, { timeout: 30_000 });
    holds.abort();
    await expect(held.text()).rejects.toThrow();
    const answers = await Promise.all(asked);
    expect([...counts].sort()).toEqual([
      [200, 16],
      [429, 34],
    ]);
    expect(answers.find(({ status }) => status === 429)?.headers.get("retry-after")).toMatch(/^\d+$/);
    await Promise.all(answers.map((answer) => answer.text()));
    let dropped = 0;
    for (let n = 0; n < 140; n++)
      void wire(port).ended.then(() => {
        dropped += 1;
      });
    await vi.waitUntil(() => dropped >= 12, { timeout: 5000 });
    expect(dropped).toBeLessThan(80);
    // those that ask nothing shut nobody out
    const health = await raw(port, `GET /health HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`);
    expect(statusOf(health)).toBe(200);
  });

  it("H20: a stream is JSON, event by event, also of torn letters, and ends with [DONE]", async () => {
    const { url } = await serveScripted({ answer: () => ["a\nb\r", "\u2028", "\ud83d", "\ude00", ' "q"', "data: x\n\n"] });
    const text = await (await post(url, { ...question, stream: true })).text();
    const lines = text.split("\n\n").filter((line) => line !== "");
    expect(lines.at(-1)).toBe("data: [DONE]");
    const events = lines
      .slice(0, -1)
      .map((line) => JSON.parse(line.replace(/^data: /, "")) as { choices: { delta: { content?: string } }[] });
    expect(events.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toContain('a\nb\r\u2028😀 "q"data: x');
  });

  it("H22: an engine that dies is one failed request", async () => {
    let crashes = 0;
    const { url } = await serveScripted({
      crashAt() {
        crashes += 1;
        return crashes === 1;
      },
    });
    const died = await post(url, question);
    expect([died.status, await died.text()]).toEqual([
      503,
      expect.stringContaining("the engine of the model ended; a later request loads it again"),
    ]);
    expect((await post(url, question)).status).toBe(200);
  });

  it("H23: the end waits for answers under way, and no longer than it says", async () => {
    const quick = await serveScripted(slow, { drainMs: 5000 });
    const answer = await post(quick.url, { ...question, stream: true });
    const text = answer.text();
    const closed = quick.close();
    await expect(fetch(`${quick.url}/health`)).rejects.toThrow();
    expect(await text).toContain("[DONE]");
    await closed;
    const hanging = await serveScripted(slow, { drainMs: 100 });
    const cut = await post(hanging.url, endless);
    const started = performance.now();
    const read = cut.text();
    await hanging.close();
    expect(performance.now() - started).toBeLessThan(1000);
    // the last event says why, as for a model that failed
    expect((await read).split("\n\n").at(-2)).toMatch(/^data: \{"error":.*"code":"run-closed"/);
    // nor for a request that stops on its way
    const halved = await serveScripted(slow, { drainMs: 20_000 });
    const wires = [
      "POST /v1/chat/comp",
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${halved.port}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`,
    ];
    for (const half of wires) wire(halved.port).socket.write(half);
    await sleep(50);
    const began = performance.now();
    await halved.close();
    expect(performance.now() - began).toBeLessThan(2000);
    const waiting = await serveScripted(slow, { drainMs: 100 });
    const whole = post(waiting.url, { ...endless, stream: false });
    await sleep(50);
    await waiting.close();
    expect((await whole).status).toBe(503);
  });

  it("H30: the official client lists, asks, streams and leaves", async () => {
    const { url, records } = await serveScripted(slow, { token });
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
    expect((await client.models.list()).data.map(({ id }) => id)).toContain("tiny-stories");
    const call = { model: "tiny-stories", messages: [{ role: "user" as const, content: "Hi" }], max_tokens: 5, seed: 3 };
    const asked = await client.chat.completions.create(call);
    let streamed = "";
    for await (const { choices } of await client.chat.completions.create({ ...call, stream: true }))
      streamed += choices[0]?.delta.content ?? "";
    expect(streamed).toBe(asked.choices[0]?.message.content);
    const stream = await client.chat.completions.create({ ...call, max_tokens: 4000, stream: true });
    for await (const _ of stream) break;
    await vi.waitUntil(() => records.at(-1)?.hasLeft === true, { timeout: 5000 });
    await expect(new OpenAI({ baseURL: `${url}/v1`, apiKey: "x", maxRetries: 0 }).models.list()).rejects.toMatchObject({ status: 401 });
  });
});
