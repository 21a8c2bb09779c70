/** Child-process entry: Lua scripts. The parent (script-host.ts) ends it. */
import { luaGuest } from "../core/scripts/guest/lua.ts";
import { serveScripts } from "./script-channel.ts";

await serveScripts(luaGuest, "lua.wasm");
