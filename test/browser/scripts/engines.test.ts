/** The engines of scripts in workers of a page: suspended while they wait, and blocked in shared memory. */
import { describe, expect, it } from "vitest";
import { workerScripts } from "../../../src/browser/scripts/host.ts";
import { scriptEngines } from "../../contract/script-engines.ts";
import { opener } from "../../contract/script-host.ts";

describe.each(["suspension", "memory"] as const)("waiting in %s", (waitsIn) => {
  scriptEngines(opener(workerScripts(waitsIn)));

  const open = opener(workerScripts(waitsIn));
  it("carries messages larger than the ring, both ways", async () => {
    const script = await open("javascript");
    const source = 'const s = "é€😀".repeat(200_000); export default T.echo(s) === s && T.echo(s).length';
    expect((await script.run(source)).value).toBe(4 * 200_000);
  });
});

it("a page that can neither suspend nor share memory is told both ways out", async () => {
  await expect(workerScripts("none").start("lua", 2 ** 26)).rejects.toMatchObject({
    code: "usage-not-available",
    message: expect.stringMatching(/JSPI.*isolated/),
    hint: expect.stringContaining("Cross-Origin-Opener-Policy"),
  });
});
