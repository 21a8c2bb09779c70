/** A server over a scripted model on loopback, and requests to it byte by byte. */
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Spell } from "../../../src/core/api/spell.ts";
import type { SpellError } from "../../../src/core/errors.ts";
import type { RequestRecord } from "../../../src/core/serve/record.ts";
import { createServe, type RefusedRequest } from "../../../src/core/serve/serve.ts";
import { type ListenOptions, listen } from "../../../src/node/serve/listen.ts";
import { type ScriptedSpellOptions, scriptedSpell } from "../../support/scripted-spell.ts";

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly spell: Spell;
  /** requests that are over */
  readonly records: readonly RequestRecord[];
  readonly refusals: readonly SpellError[];
  close(): Promise<void>;
}

export async function serveScripted(script: ScriptedSpellOptions = {}, options: Partial<ListenOptions> = {}): Promise<TestServer> {
  const spell = scriptedSpell(script);
  const records: RequestRecord[] = [];
  const refusals: SpellError[] = [];
  const answer = createServe(spell, { onRequest: (record) => records.push(record) });
  const onRefusal = (refused: RefusedRequest): void => {
    refusals.push(refused.error);
    answer.refused(refused);
  };
  const { url, close } = await listen(answer, { port: 0, drainMs: 100, onRefusal, ...options });
  onTestFinished(async () => {
    await close();
    await spell.dispose();
  });
  return { url, port: Number(new URL(url).port), spell, records, refusals, close };
}

export const question = { model: "tiny-stories", messages: [{ role: "user", content: "Hi" }], max_tokens: 8 };

/** Asks in JSON. */
export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    ...init,
    headers: { "content-type": "application/json", ...(init.headers as Record<string, string>) },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export interface Wire {
  readonly socket: Socket;
  /** all that has come */
  text(): string;
  /** resolves when the other side has ended */
  readonly ended: Promise<string>;
}

export function wire(port: number): Wire {
  const socket = connect({ port, host: "127.0.0.1" });
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined); // an end is what is waited for
  const ended = new Promise<string>((resolve) => socket.on("close", () => resolve(text)));
  onTestFinished(() => void socket.destroy());
  return { socket, text: () => text, ended };
}

/** Sends text as it is and waits for the end. @returns status line and the rest; an empty text where nothing came */
export async function raw(port: number, text: string): Promise<string> {
  const { socket, ended } = wire(port);
  socket.write(text);
  return ended;
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}
