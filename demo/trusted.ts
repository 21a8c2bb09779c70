/**
 * Requires Trusted Types if the browser has them: no text becomes markup or code. The only exception is the address of a worker of this page's
 * own origin.
 */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

export function trustOwnWorkers(): void {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy("default", {
    createScriptURL(address) {
      // a blob: address contains the origin that made it
      const { origin } = new URL(address, document.baseURI);
      if (origin !== location.origin) throw new TypeError(`workers from ${origin} are refused`);
      return address;
    },
  });
}
