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

export default function setup(project: TestProject): () => void {
  const place = mkdtempSync(join(tmpdir(), "llmspell-package-"));
  const npm = (args: readonly string[], cwd: string): string =>
    execFileSync("npm", args, {
      cwd,
      env: userEnvironment(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      shell: process.platform === "win32",
    });
  // npm 11 answers with a list, later majors with an object by name.
  const answer: unknown = JSON.parse(npm(["pack", "--json", "--pack-destination", place], root));
  const packed = Object.values(answer as Record<string, PackedPackage>)[0];
  if (packed === undefined) throw new Error("npm pack reported no package");
  const tarball = join(place, packed.filename);
  const folder = mkdtempSync(join(place, "user-"));
  npm(["install", "--no-audit", "--no-fund", tarball], folder);
  project.provide("packed", packed);
  project.provide("folder", folder);
  project.provide("tarball", tarball);
  return () => rmSync(place, { recursive: true, force: true });
}
