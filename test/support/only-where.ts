import { describe, it } from "vitest";

/**
 * Tests of what not every place has. Where it is missing they are skipped, and the reason stands behind their title, where reports find it.
 * @param missing why it cannot be had here; undefined where it can
 */
export function onlyWhere(missing: string | undefined) {
  const isSkipped = missing !== undefined;
  const titled = (title: string): string => (isSkipped ? `${title} (skipped: ${missing})` : title);
  return {
    it: (title: string, body: () => unknown, timeoutMs?: number): void =>
      it.skipIf(isSkipped)(titled(title), body as () => void, timeoutMs),
    describe: (title: string, body: () => void): void => {
      describe.skipIf(isSkipped)(titled(title), body);
    },
  };
}

/** Signals, pipes, links and rights as POSIX has them. */
export const posix = onlyWhere(process.platform === "win32" ? "not on Windows" : undefined);
export const linux = onlyWhere(process.platform === "linux" ? undefined : `not on ${process.platform}`);
