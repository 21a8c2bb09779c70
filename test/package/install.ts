/** Packs the project once and installs it, as a user would, into an empty folder outside the checkout. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { root } from "../support.ts";
import { userEnvironment } from "./support.ts";

export interface PackedPackage {
  readonly filename: string;
  /** bytes of the tarball */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number; readonly mode: number }[];
}

declare module "vitest" {
  export interface ProvidedContext {
    packed: PackedPackage;
    /** An empty folder in which `npm install ./llmspell-X.Y.Z.tgz` ran. */
    folder: string;
    tarball: string;
  }
}

function npm(args: readonly string[], cwd: string): string {
  return execFileSync("npm", args, {
    cwd,
    env: userEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    shell: process.platform === "win32",
  });
}

/** @param place folder for the tarball */
export function pack(place: string): { readonly packed: PackedPackage; readonly tarball: string } {
  // npm 11 answers with a list, later majors with an object by name.
  const answer: unknown = JSON.parse(npm(["pack", "--json", "--pack-destination", place], root));
  const packed = Object.values(answer as Record<string, PackedPackage>)[0];
  if (packed === undefined) throw new Error("npm pack reported no package");
  return { packed, tarball: join(place, packed.filename) };
}

/** @param packages names with versions, or tarballs */
export function install(folder: string, ...packages: readonly string[]): void {
  npm(["install", "--no-audit", "--no-fund", ...packages], folder);
}

export default function setup(project: TestProject): () => void {
  const place = mkdtempSync(join(tmpdir(), "llmspell-package-"));
  const { packed, tarball } = pack(place);
  const folder = mkdtempSync(join(place, "user-"));
  install(folder, tarball);
  project.provide("packed", packed);
  project.provide("folder", folder);
  project.provide("tarball", tarball);
  return () => rmSync(place, { recursive: true, force: true });
}
