/** Vite plugin: a file that is named by address and is not there fails the build. Vite only warns, and the page would ask for it in vain. */

/** @returns {import("vite").Plugin} */
export function missingFiles() {
  /** @type {Set<string>} */
  const missing = new Set();
  return {
    name: "missing-files",
    apply: "build",
    configResolved({ logger }) {
      const { warnOnce } = logger;
      logger.warnOnce = (message, options) => {
        const [, address] = /new URL\((.+), import\.meta\.url\) doesn't exist at build time/.exec(message) ?? [];
        if (address === undefined) warnOnce(message, options);
        else missing.add(address);
      };
    },
    buildEnd(error) {
      if (error === undefined && missing.size > 0) throw new Error(`files that the page needs are not there: ${[...missing].join(", ")}`);
    },
  };
}
