/** What a form leaves no choice about, letter by letter. */
import { describe, expect, it } from "vitest";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { followForm } from "../../../src/core/grammar/forced.ts";
import { limits } from "../../../src/core/limits.ts";
import type { GenerateOptions } from "../../../src/core/spec/generate.ts";

function follow(options: GenerateOptions): ReturnType<typeof followForm> {
  const held = constraintOf(options);
  if (held.kind === "grammar") throw new Error("expected a form of plain data");
  return followForm(held.grammar);
}

describe("forced text", () => {
  it("is a name and its colon, up to where a space is free to stand", () => {
    const form = follow({
      jsonSchema: { type: "object", properties: { city: { enum: ["Paris", "Parma"] } }, required: ["city"], additionalProperties: false },
    });
    expect(form.forced()).toBe("{");
    form.push("{");
    expect(form.forced()).toBe("");
    form.push(' "');
    expect(form.forced()).toBe('city":');
    form.push("ci");
    form.push('ty":"');
    expect(form.forced()).toBe("Par");
    form.push("Parm");
    expect(form.forced()).toBe('a"');
  });

  it("is none where the answer may end, whatever could still follow", () => {
    const form = follow({ regex: "ab+c?" });
    expect(form.forced()).toBe("ab");
    form.push("ab");
    expect(form.forced()).toBe("");
  });

  it("is none after text that leaves the form, and stays none", () => {
    const form = follow({ regex: "(ab){20}" });
    form.push("ac");
    expect(form.forced()).toBe("");
    form.push("ab");
    expect(form.forced()).toBe("");
  });

  it("holds letters beyond ASCII and beyond 16 bits", () => {
    expect(follow({ choices: ["naïve 🎉!", "naïve 🎉?"] }).forced()).toBe("naïve 🎉");
  });

  it("is looked ahead for at most 256 letters", () => {
    const form = follow({ regex: `(a{1000}|b)c` });
    form.push("a");
    expect(form.forced()).toBe("a".repeat(256));
  });

  it("is none where the form can be read in too many ways at once", () => {
    const many = limits.grammarPlaces + 1;
    const rules = Object.fromEntries(
      Array.from({ length: many }, (_, n) => [`r${n}`, [[{ chars: [[98, 98]] as const }, { rule: "end" }]]]),
    );
    const form = followForm({
      root: "root",
      rules: {
        root: [[{ chars: [[97, 97]] }, { rule: "any" }]],
        any: Object.keys(rules).map((rule) => [{ rule }]),
        ...rules,
        end: [[{ chars: [[99, 99]] }]],
      },
    });
    expect(form.forced()).toBe("a");
    form.push("a");
    expect(form.forced()).toBe("");
  });
});
