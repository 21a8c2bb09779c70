/**
 * A Lua 5.4 state over the WebAssembly file of wasmoon, without its JavaScript: no object of this realm can be reached from inside. Lua gets two functions
 * (post, receive) and a hook; everything else is its own. Files, environment and processes do not exist behind its `io` and `os`.
 */

import { fromBase64 } from "../../base64.ts";
import { luaDoor, luaLink } from "./lua-link.ts";
import { timeImports } from "./lua-time.ts";
import { luaPrelude } from "./preludes.generated.ts";
import { type Guest, type GuestParts, plainSource } from "./run.ts";
import { promising, suspending } from "./suspend.ts";

/** What we use of Lua's C API. States, texts and functions are addresses or slots: numbers. */
interface Lua {
  readonly memory: WebAssembly.Memory;
  readonly __indirect_function_table: WebAssembly.Table;
  __wasm_call_ctors(): void;
  malloc(size: number): number;
  free(at: number): void;
  luaL_newstate(): number;
  luaL_loadbufferx(state: number, text: number, size: number, name: number, mode: number): number;
  lua_setglobal(state: number, name: number): void;
  lua_sethook(state: number, hook: number, mask: number, count: number): void;
  lua_pushlstring(state: number, text: number, size: number): number;
  lua_pushvalue(state: number, index: number): void;
  lua_pushcclosure(state: number, slot: number, upvalues: number): void;
  lua_tolstring(state: number, index: number, size: number): number;
  lua_settop(state: number, index: number): void;
  lua_error(state: number): void;
  lua_pcallk(state: number, args: number, results: number, handler: number, context: number, then: number): number;
  luaopen_base(state: number): number;
  luaopen_string(state: number): number;
  luaopen_table(state: number): number;
  luaopen_math(state: number): number;
  luaopen_utf8(state: number): number;
  luaopen_coroutine(state: number): number;
  luaopen_debug(state: number): number;
  luaopen_os(state: number): number;
}

interface Link {
  readonly slots: WebAssembly.Table;
  readonly invoke_vii: WebAssembly.ExportValue;
  readonly throw_longjmp: WebAssembly.ExportValue;
}

interface Door {
  readonly invoke_vii: WebAssembly.ExportValue;
  readonly post: WebAssembly.ExportValue;
  readonly receive: WebAssembly.ExportValue;
  readonly tick: WebAssembly.ExportValue;
}

/** lua.h */
const maskCount = 8;
const outOfMemory = 4;
/** Instructions between two looks at the clock. Any number costs the same. */
const tickEvery = 100_000;
const pageBytes = 65_536;

const instance = <T>(module: WebAssembly.Module, imports?: WebAssembly.Imports): T =>
  new WebAssembly.Instance(module, imports).exports as unknown as T;

export function luaGuest({ module, memoryBytes, channel }: GuestParts): Guest {
  let most = memoryBytes;
  const link = instance<Link>(new WebAssembly.Module(fromBase64(luaLink)));
  const lua = instance<Lua>(module, luaImports());
  const buffer = (): ArrayBuffer => lua.memory.buffer as ArrayBuffer;
  const view = (): DataView => new DataView(buffer());
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  function luaImports(): WebAssembly.Imports {
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = { env: {}, wasi_snapshot_preview1: {} };
    for (const { module: from, name } of WebAssembly.Module.imports(module)) Object.assign(imports[from] ?? {}, { [name]: () => -1 });
    const stop = (what: string) => () => {
      throw new WebAssembly.RuntimeError(what);
    };
    Object.assign(
      imports["env"] ?? {},
      timeImports(() => buffer()),
      {
        invoke_vii: link.invoke_vii,
        _emscripten_throw_longjmp: link.throw_longjmp,
        emscripten_date_now: () => Date.now(),
        _emscripten_get_now_is_monotonic: () => 0,
        emscripten_resize_heap: grow,
        abort: stop("lua aborted"),
        exit: stop("lua exited"),
      },
    );
    Object.assign(imports["wasi_snapshot_preview1"] ?? {}, {
      environ_sizes_get(count: number, size: number) {
        view().setUint32(count, 0, true);
        view().setUint32(size, 0, true);
        return 0;
      },
    });
    return imports;
  }

  /** The only way its memory grows. Without it malloc gives nothing, and Lua raises "not enough memory". */
  function grow(asked: number): number {
    const wanted = asked >>> 0;
    const now = buffer().byteLength;
    if (wanted > most) return 0;
    // whole pages: those that are wanted, or half as many more, and none beyond the limit
    const pages = Math.min(Math.floor(most / pageBytes), Math.ceil(Math.max(wanted, now * 1.5) / pageBytes));
    try {
      lua.memory.grow(Math.max(0, pages - now / pageBytes));
      return buffer().byteLength >= wanted ? 1 : 0;
    } catch {
      return 0;
    }
  }

  function withText<T>(text: string, use: (at: number, size: number) => T): T {
    const data = encoder.encode(text);
    const at = lua.malloc(data.length + 1);
    if (at === 0) throw new RangeError("no memory for a message");
    new Uint8Array(buffer()).set(data, at);
    view().setUint8(at + data.length, 0);
    try {
      return use(at, data.length);
    } finally {
      lua.free(at);
    }
  }
  const pushText = (on: number, text: string): number => withText(text, (at, size) => lua.lua_pushlstring(on, at, size));
  function textAt(on: number, index: number): string {
    const size = lua.malloc(4);
    const at = lua.lua_tolstring(on, index, size);
    const length = at === 0 ? 0 : view().getUint32(size, true);
    lua.free(size);
    return decoder.decode(new Uint8Array(buffer(), at, length));
  }

  const given = (on: number, text: string): number => {
    pushText(on, text);
    return 1;
  };
  const host = {
    post(on: number) {
      channel.post(textAt(on, 1));
      return 0;
    },
    receive: suspending(channel, (on: number) => {
      const got = channel.receive();
      return typeof got === "string" ? given(on, got) : got.then((text) => given(on, text));
    }),
    tick(on: number) {
      const why = channel.overtime();
      if (why === undefined) return;
      pushText(on, why);
      lua.lua_error(on);
    },
  };
  const door = instance<Door>(new WebAssembly.Module(fromBase64(luaDoor)), { lua, link, host } as unknown as WebAssembly.Imports);
  link.slots.set(0, door.invoke_vii);
  lua.__wasm_call_ctors();
  const table = lua.__indirect_function_table;
  const first = table.grow(3);
  [door.post, door.receive, door.tick].forEach((f, i) => {
    table.set(first + i, f);
  });

  const state = lua.luaL_newstate();
  // base fills the globals itself; package and io are never opened
  lua.luaopen_base(state);
  for (const name of ["string", "table", "math", "utf8", "coroutine", "debug", "os"] as const) {
    lua[`luaopen_${name}`](state);
    withText(name, (at) => lua.lua_setglobal(state, at));
  }
  lua.lua_settop(state, 0);
  lua.lua_sethook(state, first + 2, maskCount, tickEvery);

  /** Calls what lies below its arguments; the one result stays. It is ours and does not wait. */
  const callOwn = (args: number): void => {
    if (lua.lua_pcallk(state, args, 1, 0, 0, 0) !== 0) throw new Error(textAt(state, -1));
  };
  const call = promising(channel, lua.lua_pcallk);

  if (
    withText(luaPrelude, (at, size) =>
      withText("=llmspell", (name) => withText("t", (mode) => lua.luaL_loadbufferx(state, at, size, name, mode))),
    ) !== 0
  )
    throw new Error(textAt(state, -1));
  lua.lua_pushcclosure(state, first, 0);
  lua.lua_pushcclosure(state, first + 1, 0);
  callOwn(2);

  return {
    configure(settings) {
      most = Math.max(settings.memoryBytes, buffer().byteLength);
      pushText(state, JSON.stringify(settings));
      callOwn(1);
    },
    run({ source, name, args, isShell, isKeys }) {
      const done = (status: number): string => {
        const text = textAt(state, -1);
        lua.lua_settop(state, 1);
        if (status !== 0) throw status === outOfMemory ? new RangeError("not enough memory") : new Error(text);
        return text;
      };
      lua.lua_pushvalue(state, 1);
      for (const text of [
        plainSource(source),
        isKeys ? "=keys" : isShell ? "=shell" : `@${name}`,
        args === undefined ? "" : JSON.stringify(args),
      ])
        pushText(state, text);
      const got = call(state, 3, 1, 0, 0, 0);
      return typeof got === "number" ? done(got) : got.then(done);
    },
  };
}
