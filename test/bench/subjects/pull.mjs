/** One file through the library into a store: ranges, hash, durable. Reports MB/s; peak memory is taken from outside. */
import { rmSync } from "node:fs";
import { realClock } from "../../../dist/core/download/clock.js";
import { transferFile } from "../../../dist/core/download/transfer.js";
import { fsArtifactStore } from "../../../dist/node/store/fs-artifact-store.js";
import { print } from "./prompt.mjs";

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
