/**
 * A file or script of a stranger may keep a child's main thread busy for ever, where neither `disconnect` nor a closed pipe is heard. A thread of its own looks
 * whether the parent lives: an orphan gets another parent (or, on Windows, keeps the number of a process that is gone).
 */
import { Worker } from "node:worker_threads";

const code = `
  const { workerData: parent } = require("node:worker_threads");
  setInterval(() => {
    let lives = process.ppid === parent;
    try { process.kill(parent, 0); } catch (error) { if (error.code === "ESRCH") lives = false; }
    if (!lives) process.kill(process.pid, "SIGKILL");
  }, 500);`;

/** Ends this process soon after its parent. @param parent process.ppid, taken at the start */
export function watchParent(parent: number): void {
  // its own streams: those of this process would be opened for it, and stop blocking
  const options = { stdout: true, stderr: true, resourceLimits: { maxOldGenerationSizeMb: 8 } };
  new Worker(code, { eval: true, workerData: parent, ...options }).unref();
}
