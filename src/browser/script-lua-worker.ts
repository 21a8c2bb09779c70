/** Web Worker entry: Lua scripts. The page (script-host.ts) ends it. */
import { luaGuest } from "../core/scripts/guest/lua.ts";
import { serveScripts } from "./serve-scripts.ts";

serveScripts(luaGuest);
