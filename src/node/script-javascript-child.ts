/** Child-process entry: JavaScript scripts. The parent (script-host.ts) ends it. */
import { javascriptGuest } from "../core/scripts/guest/js-loop.ts";
import { serveScripts } from "./script-channel.ts";

await serveScripts(javascriptGuest, "quickjs.wasm");
