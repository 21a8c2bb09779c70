import { errnoOf } from "./errno.ts";

/** Whether a process of this machine lives. @param pid written down earlier: another process may have this number by now */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM"; // it lives and belongs to another user
  }
}
