import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RuntimeConfig } from "../../../src/core/config/config.generated.ts";
import { createState as createKept, type State } from "../../../src/core/state/state.ts";
import { memoryRecords } from "../../../src/core/store/memory-records.ts";
import type { RecordsHost } from "../../../src/core/store/open-records.ts";
import { failure } from "../../support/failure.ts";

const settings = { enabled: true, backend_type: "memory", directory: "/state", max_state_size_bytes: 1000 } as const;
const host = { name: "test" };
const storage = { postgres_url_env: "DATABASE_URL" };
const createState = (changed: RuntimeConfig["state_persistence"], on: RecordsHost): State =>
  createKept({ runtime: { state_persistence: changed }, storage }, on);

describe("State", () => {
  it("gives every JSON value back as it was", async () => {
    const state = createState({ ...settings, max_state_size_bytes: 1e9 }, host);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string(), fc.jsonValue(), async (scope, key, value) => {
        const written = JSON.parse(JSON.stringify(value)) as unknown; // -0 is 0 in JSON
        await state.save(scope, key, written);
        expect(await state.load(scope, key)).toEqual(written);
      }),
    );
  });

  it("lists in order, says what was there, and lasts as long as the object", async () => {
    const state = createState(settings, host);
    for (const [scope, key] of [
      ["b", "2"],
      ["a", "1"],
      ["b", "10"],
      ["b", "1"],
    ] as const)
      await state.save(scope, key, null);
    expect(await state.listScopes()).toEqual(["a", "b"]);
    expect(await state.listKeys("b")).toEqual(["1", "10", "2"]);
    expect(await state.load("a", "1")).toBeNull();
    expect(await state.load("a", "2")).toBeUndefined();
    expect([await state.delete("a", "1"), await state.delete("a", "1"), await state.clear("b"), await state.clear("b")]).toEqual([
      true,
      false,
      3,
      0,
    ]);
    await state.save("a", "x", 1);
    expect(await createState(settings, host).listScopes()).toEqual([]);
  });

  it("has a limit over all scopes, and says which key raises it", async () => {
    const state = createState(settings, host);
    await state.save("a", "x", "y".repeat(900));
    const error = await failure(state.save("b", "x", "y".repeat(95)));
    expect(error).toMatchObject({
      code: "state-full",
      where: "runtime.state_persistence.max_state_size_bytes",
      exitCode: 1,
      details: { limit: 1000 },
    });
    expect(await state.load("b", "x")).toBeUndefined();
    await state.save("a", "x", "short");
    await state.save("b", "x", "y".repeat(90));
  });

  it("is switched off by its key; every call says so and names the profile that switches it on", async () => {
    const state = createState({ ...settings, enabled: false }, host);
    const calls = [
      state.save("a", "x", 1),
      state.load("a", "x"),
      state.delete("a", "x"),
      state.listKeys("a"),
      state.listScopes(),
      state.clear("a"),
    ];
    for (const error of await Promise.all(calls.map(failure))) {
      expect(error).toMatchObject({
        code: "state-disabled",
        where: "runtime.state_persistence.enabled",
        actions: [
          { kind: "use-profile", profile: "state" },
          { kind: "set-variable", name: "LLMSPELL_RUNTIME_STATE_PERSISTENCE_ENABLED", value: "true" },
        ],
      });
    }
    await state.close();
  });

  it("with `file` is kept in the configured folder, opened by the first call, and refused where a host keeps nothing", async () => {
    const folders: string[] = [];
    const store = memoryRecords();
    const keeping = {
      name: "test",
      async records(folder: string) {
        folders.push(folder);
        return store;
      },
    };
    const state = createState({ ...settings, backend_type: "file" }, keeping);
    expect(folders).toEqual([]);
    await Promise.all([state.save("a", "x", 1), state.save("a", "y", 2)]);
    expect(folders).toEqual(["/state"]);
    expect(await createState({ ...settings, backend_type: "file" }, keeping).listKeys("a")).toEqual(["x", "y"]);
    await store.put("a", "x", "{torn", 1e9);
    expect(await failure(state.load("a", "x"))).toMatchObject({ code: "store-corrupt" });
    const none = createState({ ...settings, backend_type: "file" }, host);
    expect(await failure(none.load("a", "x"))).toMatchObject({ code: "state-disabled", where: "runtime.state_persistence.backend_type" });
  });

  it("with `postgres` lies in a space of the database that a key or a variable names, and is refused without either", async () => {
    const asked: unknown[] = [];
    const reaching = (env: Readonly<Record<string, string>>): RecordsHost => ({
      name: "test",
      config: { env },
      async sharedRecords(...given) {
        asked.push(given);
        return memoryRecords();
      },
    });
    const postgres = { ...settings, backend_type: "postgres" } as const;
    const open = (own: { readonly postgres_url?: string; readonly postgres_url_env: string }, env: Readonly<Record<string, string>>) =>
      createKept({ runtime: { state_persistence: postgres }, storage: own }, reaching(env));
    await open({ postgres_url: "postgres://a/b", postgres_url_env: "X" }, { X: "postgres://c/d" }).save("a", "x", 1);
    await open({ postgres_url_env: "X" }, { X: "postgres://c/d" }).save("a", "x", 1);
    expect(asked).toEqual([
      ["postgres://a/b", "state"],
      ["postgres://c/d", "state"],
    ]);
    expect(await failure(open({ postgres_url_env: "X" }, {}).listScopes())).toMatchObject({
      code: "config-api-key-missing",
      actions: [{ kind: "set-variable", name: "X" }],
    });
    expect(await failure(createState(postgres, host).listScopes())).toMatchObject({ code: "state-disabled" });
  });
});
