/** One file through the library into a store: ranges, hash, durable. Reports MB/s; peak memory is taken from outside. */
import { rmSync } from "node:fs";
import { fromSource } from "../../support/from-source.mjs";
import { print } from "./prompt.mjs";

const library = await fromSource(["core/download/clock.ts", "core/download/transfer.ts", "node/store/fs-artifact-store.ts"]);
const { realClock, transferFile, fsArtifactStore } = await import(library.href);
library.remove();

const [url = "", size = "", sha256 = "", folder = "", maxParallel = "4"] = process.argv.slice(2);
rmSync(folder, { recursive: true, force: true });
const started = performance.now();
await transferFile(
  { path: "file", url, size: Number(size), sha256, isTrusted: true },
  fsArtifactStore(folder),
  { fetch, clock: realClock(() => performance.now()) },
  { maxParallel: Number(maxParallel) },
);
const seconds = (performance.now() - started) / 1000;
print({ pullMs: seconds * 1000, mbPerSecond: Number(size) / 1e6 / seconds });
rmSync(folder, { recursive: true, force: true });
