/** Child-process entry: JavaScript scripts. The parent (host.ts) ends it. */
import { javascriptGuest } from "../../core/scripts/guest/js-loop.ts";
import { serveScripts } from "./channel.ts";

await serveScripts(javascriptGuest, "quickjs.wasm");
