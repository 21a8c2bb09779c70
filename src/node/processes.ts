/** Whether another process of this machine lives. */

/** @param pid a process number written down earlier: it may have been given to another process since */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // it is there and belongs to somebody else
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
