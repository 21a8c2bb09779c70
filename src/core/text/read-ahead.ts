/** A stream whose reader may pause: then the rest is kept for it, so that whoever waits for the model behind it gets its turn. */
import { limits } from "../limits.ts";

/**
 * Passes parts on as they are asked for. A reader that takes none for a while once the model is wanted holds it up no longer: the parts that are
 * left come now, and are kept for it. An answer has an end, and so have they.
 * @param wanted resolves once another call waits
 * @param leave is called where the reader stops before the end, while more is on its way
 */
export async function* readAhead<T>(
  parts: AsyncGenerator<T, void, undefined>,
  wanted: Promise<void>,
  leave: () => void,
): AsyncGenerator<T, void, undefined> {
  const kept: Promise<IteratorResult<T, void>>[] = [];
  let isPaused = false;
  let isOver = false;
  let isAhead = false;
  let count = 0;
  const runAhead = async (): Promise<void> => {
    isAhead = true;
    for (let isDone = false; !isDone && !isOver; ) {
      const next = parts.next();
      kept.push(next);
      isDone = await next.then(
        ({ done }) => done === true,
        () => true, // its reader is told
      );
    }
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = (before: number): void => {
    if (isOver) return;
    timer = setTimeout(() => (isPaused && count === before ? void runAhead() : watch(count)), limits.pausedReaderMs);
  };
  void wanted.then(() => watch(count));
  try {
    for (;;) {
      const next = await (kept.shift() ?? parts.next());
      if (next.done === true) return;
      count += 1;
      isPaused = true;
      yield next.value;
      isPaused = false;
    }
  } finally {
    isOver = true;
    clearTimeout(timer);
    if (isAhead) leave();
    await parts.return();
  }
}
