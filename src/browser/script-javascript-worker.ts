/** Web Worker entry: JavaScript scripts. The page (script-host.ts) ends it. */
import { javascriptGuest } from "../core/scripts/guest/js-loop.ts";
import { serveScripts } from "./serve-scripts.ts";

serveScripts(javascriptGuest);
