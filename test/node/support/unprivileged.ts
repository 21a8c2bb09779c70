/** Whether this process may read everything, as the root of a container may. */
const isRoot = process.geteuid?.() === 0;

/** Runs something without root's rights: as nobody for its time, where this process is root. Folders on the way must be open to all. */
export async function unprivileged<T>(action: () => Promise<T> | T): Promise<T> {
  if (isRoot) process.seteuid?.(65_534);
  try {
    return await action();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
