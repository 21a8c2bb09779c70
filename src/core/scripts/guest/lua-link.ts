/**
 * Two small WebAssembly modules between Lua and JavaScript. Lua's protected calls and our functions then have no JavaScript frame under them, so that its
 * stack can be suspended. Sources below, for `wat2wasm --enable-exceptions` of wabt 1.0.39 (the encoding of exceptions that all runtimes have).
 *
 * The first is what Lua needs before its own module exists: protected calls go through slot 0, an error is one exception.
 * ```wat
 * (module
 *   (type $viii (func (param i32 i32 i32)))
 *   (tag $jump (export "jump"))
 *   (table (export "slots") 1 funcref)
 *   (func (export "invoke_vii") (param i32 i32 i32)
 *     (call_indirect (type $viii) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
 *   (func (export "throw_longjmp") (throw $jump)))
 * ```
 */
export const luaLink =
  "AGFzbQEAAAABCgJgA39/fwBgAAADAwIAAQQEAXAAAQ0DAQABBy0EBGp1bXAEAAVzbG90cwEACmludm9rZV92aWkAAA10aHJvd19sb25nam1wAAEKFAINACAAIAEgAkEAEQAACwQACAAL";

/**
 * The second has the protected call itself, and the three functions that Lua gets: their bodies are JavaScript's.
 * ```wat
 * (module
 *   (type $vii (func (param i32 i32)))
 *   (import "lua" "__indirect_function_table" (table 1 funcref))
 *   (import "lua" "stackSave" (func $save (result i32)))
 *   (import "lua" "stackRestore" (func $restore (param i32)))
 *   (import "lua" "setThrew" (func $threw (param i32 i32)))
 *   (import "link" "jump" (tag $jump))
 *   (import "host" "post" (func $post (param i32) (result i32)))
 *   (import "host" "receive" (func $receive (param i32) (result i32)))
 *   (import "host" "tick" (func $tick (param i32 i32)))
 *   (func (export "invoke_vii") (param i32 i32 i32) (local i32)
 *     (local.set 3 (call $save))
 *     (try (do (call_indirect (type $vii) (local.get 1) (local.get 2) (local.get 0)))
 *       (catch $jump
 *         (call $restore (local.get 3))
 *         (call $threw (i32.const 1) (i32.const 0)))))
 *   (func (export "post") (param i32) (result i32) (call $post (local.get 0)))
 *   (func (export "receive") (param i32) (result i32) (call $receive (local.get 0)))
 *   (func (export "tick") (param i32 i32) (call $tick (local.get 0) (local.get 1))))
 * ```
 */
export const luaDoor =
  "AGFzbQEAAAABHAZgAn9/AGAAAX9gAX8AYAAAYAF/AX9gA39/fwACiQEIA2x1YRlfX2luZGlyZWN0X2Z1bmN0aW9uX3RhYmxlAXAAAQNsdWEJc3RhY2tTYXZlAAEDbHVhDHN0YWNrUmVzdG9yZQACA2x1YQhzZXRUaHJldwAABGxpbmsEanVtcAQAAwRob3N0BHBvc3QABARob3N0B3JlY2VpdmUABARob3N0BHRpY2sAAAMFBAUEBAAHJgQKaW52b2tlX3ZpaQAGBHBvc3QABwdyZWNlaXZlAAgEdGljawAJCjkEIAEBfxAAIQMGQCABIAIgABEAAAcAIAMQAUEBQQAQAgsLBgAgABADCwYAIAAQBAsIACAAIAEQBQs=";
