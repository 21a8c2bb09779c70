/**
 * Where a browser has Trusted Types the page demands them: no text becomes markup or code. The one thing that must pass is the address of a
 * worker, and only from this page's own origin.
 */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

export function trustOwnWorkers(): void {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createScriptURL(address) {
      // an address of a Blob carries the origin that made it
      const { origin } = new URL(address, document.baseURI);
      if (origin !== location.origin) throw new TypeError(`a worker from ${origin} is not started`);
      return address;
    },
  });
}
