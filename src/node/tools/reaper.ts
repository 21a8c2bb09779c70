/** Ends a program that we started where we cannot do so ourselves any more: a process that is killed runs nothing of its own. */
import { spawn } from "node:child_process";

/** Seconds that a program has to end by itself when its input has ended. */
const graceSeconds = 1;

/**
 * A shell waits until its input ends, which the system sees to when this process is gone, then kills the program. It is in a session of its own, where no
 * Ctrl-C reaches it. On Windows there is none.
 * @returns ends the wait: the program is gone
 */
export function reapWhenGone(pid: number): () => void {
  if (process.platform === "win32") return () => undefined;
  const wait = `while read -r line; do :; done; sleep ${graceSeconds}; kill -KILL "$1"`;
  const shell = spawn("/bin/sh", ["-c", wait, "sh", String(pid)], { stdio: ["pipe", "ignore", "ignore"], detached: true, env: {} });
  // where there is no shell, programs that ignore the end of their input stay
  shell.on("error", () => undefined);
  shell.stdin.on("error", () => undefined);
  shell.unref();
  (shell.stdin as unknown as { unref?(): void }).unref?.();
  return () => void shell.kill("SIGKILL");
}
