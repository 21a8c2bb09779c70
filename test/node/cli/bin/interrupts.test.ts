/** The built bin and signals: what stops, what stays, and how a terminal is left behind. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { soonMs } from "../../../support/soon.ts";
import { bin, cleanEnv, cli, scriptProgram, withTerminal } from "../support.ts";

/** Children of a process, by the system's own table. */
function childrenOf(pid: number): readonly number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("interrupts", () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "R24: %s stops an answer at once with status 130, and no child stays",
    async (signal) => {
      let started = 0;
      let children: readonly number[] = [];
      // Many turns, so that the signal never comes after the end.
      const outcome = await cli(["chat", "-q", "--max-tokens", "500"], {
        input: "Once upon a time\n".repeat(200),
        onFirstText: (child) => {
          children = childrenOf(child.pid ?? 0);
          started = performance.now();
          child.kill(signal);
        },
      });
      expect(performance.now() - started).toBeLessThan(soonMs);
      expect(outcome).toMatchObject({ status: 130, signal: null });
      expect(outcome.stdout).toMatch(/\S.*\n$/s);
      expect(outcome.stderr).toBe("stopped\n");
      expect(children.length).toBeGreaterThan(0);
      expect(children.filter(isAlive)).toEqual([]);
    },
  );

  it("D26: a second Ctrl-C ends the run at once", async () => {
    const outcome = await new Promise<{ status: number | null; ms: number }>((resolve) => {
      const child = spawn(process.execPath, [bin, "chat", "-q"], { env: cleanEnv, stdio: ["pipe", "pipe", "ignore"] });
      child.stdin.write("Once upon a time\n");
      child.stdout.once("data", () => {
        const started = performance.now();
        child.kill("SIGINT");
        child.kill("SIGINT");
        child.on("exit", (status) => resolve({ status, ms: performance.now() - started }));
      });
    });
    expect(outcome.status).toBe(130);
    expect(outcome.ms).toBeLessThan(soonMs);
  });

  it("an interrupted document has the text so far", async () => {
    const child = spawn(process.execPath, [bin, "generate", "Once", "--output", "json"], {
      env: cleanEnv,
      stdio: ["pipe", "pipe", "pipe"],
    });
    // Standard input stays open: the run says that it waits for it, and loads the model meanwhile.
    await once(child.stderr, "data");
    child.kill("SIGINT");
    let stdout = "";
    for await (const chunk of child.stdout) stdout += String(chunk);
    expect(JSON.parse(stdout)).toMatchObject({ status: "error", error: { code: "run-aborted", exit_code: 130 } });
  });

  it("ends at once after an answer: nothing holds the process", async () => {
    const started = performance.now();
    let last = 0;
    const child = spawn(process.execPath, [bin, "generate", "-q", "Once", "--max-tokens", "3"], {
      env: cleanEnv,
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout.on("data", () => {
      last = performance.now();
    });
    await new Promise((resolve) => child.on("exit", resolve));
    expect(last).toBeGreaterThan(started);
    expect(performance.now() - last).toBeLessThan(soonMs);
  });
});

withTerminal.describe("chat on a terminal", () => {
  /** Types each text once the terminal shows what it waits for. @returns status and everything shown */
  function converse(
    line: string,
    steps: readonly (readonly [waitFor: RegExp, type: string])[],
  ): Promise<{ status: number | null; shown: string }> {
    return new Promise((resolve) => {
      const child = spawn(scriptProgram, ["-qec", line, "/dev/null"], {
        env: { ...cleanEnv, NO_COLOR: "" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      let shown = "";
      let seen = 0;
      let step = 0;
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        shown += text;
        const next = steps[step];
        if (next === undefined || !next[0].test(shown.slice(seen))) return;
        seen = shown.length;
        step += 1;
        child.stdin.write(next[1]);
      });
      const patience = setTimeout(() => child.kill(), 20_000);
      child.on("close", (status) => {
        clearTimeout(patience);
        resolve({ status, shown });
      });
    });
  }
  // behind it the editor may place the cursor
  const prompt = />>> \S*$/;

  // An answer of the small model may be over before the key arrives; then there is nothing to stop.
  it("D26: Ctrl-C stops the answer and keeps its text; the next prompt takes what is typed; the terminal is restored", {
    retry: 3,
  }, async () => {
    const line = `${JSON.stringify(process.execPath)} ${bin} chat -m tiny-stories --max-tokens 400; echo "status $?"; stty -a | grep -o -- '-\\?icanon'`;
    const { shown } = await converse(line, [
      [prompt, "Once upon a time\r"],
      [/time[\r\n]+./, "\u0003"],
      [prompt, "/save /dev/full\r"],
      [prompt, "\u0003"],
      [prompt, "/bye\r"],
    ]);
    expect(shown).toContain("stopped; the text is kept");
    expect(shown).toContain("left alone");
    expect(shown).toContain("Ctrl-C again, Ctrl-D or /bye leaves.");
    expect(shown).toMatch(/status 0\r\nicanon\r\n$/);
  });

  it("Ctrl-D leaves with status 0, Ctrl-C twice with 130", async () => {
    const line = `${JSON.stringify(process.execPath)} ${bin} chat -m tiny-stories -q; echo "status $?"`;
    expect((await converse(line, [[prompt, "\u0004"]])).shown).toMatch(/status 0\r\n$/);
    expect(
      (
        await converse(line, [
          [prompt, "\u0003"],
          [prompt, "\u0003"],
        ])
      ).shown,
    ).toMatch(/status 130\r\n$/);
  });
});
