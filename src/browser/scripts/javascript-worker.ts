/** Web Worker entry: JavaScript scripts. The page (host.ts) ends it. */
import { javascriptGuest } from "../../core/scripts/guest/js-loop.ts";
import { serveScripts } from "./serve.ts";

serveScripts(javascriptGuest);
