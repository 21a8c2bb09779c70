/** The scripted hub, for tests in a page: started in Node, spoken to through the test runner. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startFaultServer } from "../support/fault-server.mjs";

let server: Awaited<ReturnType<typeof startFaultServer>> | undefined;

export const hubCommands = {
  async startHub(): Promise<string> {
    server = await startFaultServer();
    const models = join(import.meta.dirname, "../../builtins/models");
    server.addRepo("owner/gguf", { files: { "m.Q8_0.gguf": readFileSync(join(models, "tiny-stories/tiny-stories.gguf")) } });
    return server.url;
  },
  async planHub(_: unknown, match: string, actions: object[]): Promise<void> {
    server?.reset();
    if (actions.length > 0) server?.plan(match, actions);
  },
  async seenByHub() {
    return (server?.seen ?? []).map(({ host, method, path, headers }) => ({
      host,
      method,
      path,
      range: headers.range ?? null,
      authorization: headers.authorization ?? null,
    }));
  },
  async stopHub(): Promise<void> {
    await server?.close();
  },
};
