import { describe, expect, it } from "vitest";
import { checkDocument } from "../../../src/core/config/check.ts";
import { builtinProfiles } from "../../../src/core/config/compiled.generated.ts";
import { plainDocument } from "../../../src/core/config/document.ts";
import { layerOf } from "../../../src/core/config/layer.ts";

describe("profiles, which are loaded without being checked again", () => {
  it.each(builtinProfiles.map((profile) => [profile.name, profile] as const))("%s is what the check makes of it", (name, { values }) => {
    const { layer, problems, extras } = checkDocument(plainDocument(values, name, "here"));
    expect(problems).toEqual([]);
    expect(extras).toEqual([]);
    const loaded = layerOf(values, "here");
    expect(loaded.size).toBeGreaterThan(0);
    expect(Object.fromEntries(loaded)).toEqual(Object.fromEntries(layer));
  });
});
