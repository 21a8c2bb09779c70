/** Child-process entry: Lua scripts. The parent (host.ts) ends it. */
import { luaGuest } from "../../core/scripts/guest/lua.ts";
import { serveScripts } from "./channel.ts";

await serveScripts(luaGuest, "lua.wasm");
