/** A person at a terminal: types into the built bin on a pseudo terminal, and sees what xterm makes of its output. */
import { spawn } from "node:child_process";
import headless from "@xterm/headless";
import { onTestFinished } from "vitest";
import { bin, cleanEnv, scriptProgram } from "./support.ts";

export interface Person {
  type(text: string): void;
  /** Resolves once the screen matches. @throws Error with what is there, after a while or at the end */
  sees(what: RegExp): Promise<void>;
  /** Everything on the terminal, what has scrolled away included, without blanks at the ends of lines. */
  screen(): string;
  /** Column and row of the cursor, from 0. */
  cursor(): readonly [column: number, row: number];
  /** Everything that was written, with its escape sequences. */
  written(): string;
  /** Resolves with the exit status. */
  readonly ended: Promise<number | null>;
}

export interface PersonOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** a shell line after the run */
  readonly after?: string;
  /** gets the number of the process */
  readonly pidFile?: string;
}

const patienceMs = 20_000;

export function personAt(
  args: string,
  { columns = 80, rows = 24, env = {}, after = "", pidFile = "/dev/null" }: PersonOptions = {},
): Person {
  const terminal = new headless.Terminal({ cols: columns, rows, scrollback: 5000, allowProposedApi: true });
  const run = `sh -c 'echo $$ > "${pidFile}"; exec "$@"' - "${process.execPath}" ${bin} ${args}`;
  const line = `stty cols ${columns} rows ${rows}; ${run}; status=$?; ${after === "" ? "" : `${after}; `}exit $status`;
  const child = spawn(scriptProgram, ["-qec", line, "/dev/null"], {
    env: { ...cleanEnv, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let written = "";
  const watchers = new Set<() => void>();
  const told = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout.on("data", (bytes: Buffer) => {
    written += String(bytes);
    terminal.write(bytes, told);
  });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<number | null>((resolve) => child.on("close", (status) => terminal.write("", () => resolve(status))));
  void ended.then(told);
  onTestFinished(() => {
    child.kill();
    terminal.dispose();
  });
  const screen = (): string => {
    const { active } = terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, i) => active.getLine(i)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  };
  return {
    type: (text) => child.stdin.write(text),
    sees: (what) =>
      new Promise((resolve, reject) => {
        const stop = (): void => {
          watchers.delete(look);
          clearTimeout(patience);
        };
        const fail = (): void => {
          stop();
          reject(new Error(`expected ${what} on the screen; got\n${screen()}`));
        };
        const look = (): void => {
          if (!what.test(screen())) {
            if (child.exitCode !== null) fail();
            return;
          }
          stop();
          resolve();
        };
        const patience = setTimeout(fail, patienceMs);
        watchers.add(look);
        look();
      }),
    screen,
    cursor: () => [terminal.buffer.active.cursorX, terminal.buffer.active.cursorY],
    written: () => written,
    ended,
  };
}
