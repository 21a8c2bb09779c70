/** Web Worker entry: Lua scripts. The page (host.ts) ends it. */
import { luaGuest } from "../../core/scripts/guest/lua.ts";
import { serveScripts } from "./serve.ts";

serveScripts(luaGuest);
