import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { abortedError, errorTable, exitCodeOf, SpellError, toSpellError } from "../../src/core/errors.ts";

const source = new URL("../../src/", import.meta.url).pathname;
const code = (readdirSync(source, { recursive: true }) as string[])
  .filter((file) => file.endsWith(".ts") && file !== join("core", "errors.ts"))
  .map((file) => readFileSync(join(source, file), "utf8"))
  .join("\n");

const ownFile = readFileSync(join(source, "core", "errors.ts"), "utf8");

describe("errors", () => {
  it.each(errorTable())("$code is thrown somewhere, has a hint, and an exit status from its area", (entry) => {
    const thrown = code.includes(`"${entry.code}"`) || ownFile.includes(`new SpellError("${entry.code}"`);
    expect(thrown, `${entry.code} appears in src`).toBe(true);
    expect(entry.hint.length).toBeGreaterThan(10);
    expect([1, 2, 3, 4, 5, 130]).toContain(entry.exitCode);
  });

  it("is an AbortError where the caller stopped it, as of fetch", () => {
    const { name, code } = abortedError();
    expect({ name, code }).toEqual({ name: "AbortError", code: "run-aborted" });
    expect(abortedError().with({ message: "stopped" }).name).toBe("AbortError");
    expect(new SpellError("run-busy", "x").name).toBe("SpellError");
  });

  it("take their exit status from the area alone, but for run-aborted", () => {
    expect(
      ["run-crash", "usage-value", "gguf-magic", "device-memory", "net-status", "run-aborted"].map((name) =>
        exitCodeOf(name as "run-crash"),
      ),
    ).toEqual([1, 2, 3, 4, 5, 130]);
  });

  it("cross a process as JSON and come back whole", () => {
    const error = new SpellError("run-context", "too long", {
      where: "prompt",
      details: { promptTokens: 3 },
      actions: [{ kind: "list" }],
      hint: "h",
    });
    const back = SpellError.fromJSON(structuredClone(error.toJSON()));
    expect(back).toMatchObject({
      code: "run-context",
      message: "too long",
      hint: "h",
      actions: [{ kind: "list" }],
      where: "prompt",
      details: { promptTokens: 3 },
      name: "SpellError",
    });
  });

  it("wrap what is not ours and pass what is", () => {
    const ours = new SpellError("run-nan", "x");
    expect(toSpellError(ours, "run-crash")).toBe(ours);
    expect(toSpellError(new TypeError("bad"), "run-crash", "loading")).toMatchObject({
      code: "run-crash",
      message: "loading: bad",
      cause: expect.any(TypeError),
    });
    for (const strange of [null, "x", { code: "evil" }, { code: "__proto__" }])
      expect(SpellError.fromJSON(strange).code).toBe("internal-error");
  });
});
