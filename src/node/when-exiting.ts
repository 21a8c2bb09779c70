/**
 * Runs something when this process exits, as long as it is wanted. One for each child of ours: that many are no leak, so the number from which
 * Node warns of one moves along.
 * @returns ends it
 */
export function whenExiting(run: () => void): () => void {
  const most = process.getMaxListeners();
  // 0: no warning is wanted
  if (most > 0) process.setMaxListeners(most + 1);
  process.on("exit", run);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    process.off("exit", run);
    if (most > 0) process.setMaxListeners(Math.max(1, process.getMaxListeners() - 1));
  };
}
