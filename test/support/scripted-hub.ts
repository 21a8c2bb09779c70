/** The fault server as suites on both hosts speak to it: everything is plain data, so that it also passes from a page to the test runner. */
import { noiseBytes } from "../contract/artifact-store.ts";
import type { Action, startFaultServer } from "./fault-server.mjs";

/** Bytes of noise, by their seed. */
export interface Noise {
  readonly noise: number;
  readonly size: number;
  readonly from?: number;
  readonly to?: number;
}

export type ScriptedAction = Omit<Action, "body" | "before"> & { readonly body?: string | Noise };

export interface SeenRequest {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly authorization: string | null;
  readonly sent: number;
}

export interface ScriptedHub {
  readonly url: string;
  /** Forgets files, plans and what was seen. */
  reset(): Promise<void>;
  /** One file under /files/, and in the repository o/r. */
  serve(name: string, noise: Noise): Promise<void>;
  /** The next requests that match do these things instead, one each. */
  plan(match: string, actions: readonly ScriptedAction[], host?: "hub" | "cdn"): Promise<void>;
  seen(): Promise<readonly SeenRequest[]>;
}

type Server = Awaited<ReturnType<typeof startFaultServer>>;

export function scriptedHub(server: Server): ScriptedHub {
  const made = new Map<string, Uint8Array>();
  const bytesOf = ({ noise, size, from, to }: Noise): Uint8Array => {
    const key = `${noise} ${size}`;
    const bytes = made.get(key) ?? noiseBytes(size, noise);
    made.set(key, bytes);
    return bytes.subarray(from ?? 0, to ?? size);
  };
  return {
    url: server.url,
    async reset() {
      server.reset();
      server.files.clear();
    },
    async serve(name, noise) {
      server.files.set(name, bytesOf(noise));
      server.addRepo("o/r", { files: { [name]: bytesOf(noise) } });
    },
    async plan(match, actions, host) {
      const plain = actions.map(
        ({ body, ...action }): Action => ({
          ...action,
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : bytesOf(body) }),
        }),
      );
      server.plan(match, plain, host);
    },
    async seen() {
      return server.seen.map(({ host, method, path, headers, sent }) => ({
        host,
        method,
        path,
        range: headers.range ?? null,
        authorization: headers.authorization ?? null,
        sent,
      }));
    },
  };
}
