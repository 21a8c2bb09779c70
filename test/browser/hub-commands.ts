/** The scripted hub, for tests in a page: started in Node, spoken to through the test runner. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {} from "@vitest/browser-playwright"; // what its commands are handed
import type { BrowserCommandContext } from "vitest/node";
import { splitFiles } from "../fixtures/split-gguf.ts";
import { startFaultServer } from "../support/fault-server.mjs";
import { type Noise, type ScriptedAction, type ScriptedHub, type SeenRequest, scriptedHub } from "../support/scripted-hub.ts";

declare module "vitest/browser" {
  interface BrowserCommands {
    /** @returns its address. It has owner/gguf, and owner/split: the same in three parts. */
    startHub(): Promise<string>;
    resetHub(): Promise<void>;
    serveOnHub(name: string, noise: Noise): Promise<void>;
    planHub(match: string, actions: readonly ScriptedAction[], host?: "hub" | "cdn"): Promise<void>;
    seenByHub(): Promise<readonly SeenRequest[]>;
    stopHub(): Promise<void>;
    /** @param bytes of an origin; undefined: as much as it had */
    limitStorage(origin: string, bytes: number | undefined): Promise<void>;
  }
}

/** Test files run one after the other; each has a hub of its own. */
let server: Awaited<ReturnType<typeof startFaultServer>> | undefined;
let scripted: ScriptedHub | undefined;
let giveBackStorage: (() => Promise<void>) | undefined;

function hub(): ScriptedHub {
  if (scripted === undefined) throw new Error("startHub comes first");
  return scripted;
}

export const hubCommands = {
  async startHub(): Promise<string> {
    server = await startFaultServer();
    const gguf = readFileSync(join(import.meta.dirname, "../../builtins/models/tiny-stories/tiny-stories.gguf"));
    server.addRepo("owner/gguf", { files: { "m.Q8_0.gguf": gguf } });
    server.addRepo("owner/split", { files: await splitFiles("m-Q8_0", gguf, 3) });
    scripted = scriptedHub(server);
    return server.url;
  },
  resetHub: (_: unknown) => hub().reset(),
  serveOnHub: (_: unknown, name: string, noise: Noise) => hub().serve(name, noise),
  planHub: (_: unknown, match: string, actions: readonly ScriptedAction[], host?: "hub" | "cdn") => hub().plan(match, actions, host),
  seenByHub: (_: unknown) => hub().seen(),
  async stopHub(): Promise<void> {
    await server?.close();
  },
  async limitStorage({ context, page }: BrowserCommandContext, origin: string, bytes: number | undefined): Promise<void> {
    await giveBackStorage?.();
    giveBackStorage = undefined;
    if (bytes === undefined) return;
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: bytes });
    giveBackStorage = () => session.detach(); // the limit ends with the session
  },
};
