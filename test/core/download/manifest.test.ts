import { expect, it } from "vitest";
import { checkManifest } from "../../../src/core/download/manifest.ts";

const good = {
  schema: 1,
  id: "hf:owner/repo:Q8_0",
  source: "hf:owner/repo",
  format: "gguf",
  architecture: "llama",
  quantization: "Q8_0",
  verified: "sha256",
  parameter_count: 1,
  context_length: 1,
  created_at: 1,
  files: [{ path: "m.gguf", size: 1, modified_ms: 1, sha256: "a".repeat(64), blob: `sha256-${"a".repeat(64)}` }],
};
const file = (change: object) => ({ ...good, files: [{ ...good.files[0], ...change }] });

it("a manifest of ours is taken as it is, with a rate and with git's hash too", () => {
  for (const value of [good, { ...good, transfer: { host: "h", bytes: 1, ms: 1 } }, file({ git_sha1: "b".repeat(40) })])
    expect(checkManifest(value, ["hf", "owner"])).toBe(value);
});

it.each<[string, unknown]>([
  ["an object", []],
  ["schema", { ...good, schema: 2 }],
  ["verified", { ...good, verified: true }],
  ["created_at", { ...good, created_at: "today" }],
  ["context_length", { ...good, context_length: Number.NaN }],
  ["transfer", { ...good, transfer: { host: "h", bytes: 0, ms: 1 } }],
  ["files: expected", { ...good, files: [] }],
  ["files: expected", { ...good, files: "m.gguf" }],
  ["incomplete", { ...good, files: ["m.gguf"] }],
  ["incomplete", file({ path: 1 })],
  ["incomplete", file({ size: 0.5 })],
  ["incomplete", file({ modified_ms: null })],
  ["incomplete", file({ sha256: "A".repeat(64) })],
  ["incomplete", file({ git_sha1: "b" })],
  ["incomplete", file({ external: "/also/here" })],
  ["incomplete", file({ blob: undefined })],
])("R20 a damaged manifest is store-corrupt: %s", (says, value) => {
  expect(() => checkManifest(value, ["hf", "owner"])).toThrow(
    expect.objectContaining({ code: "store-corrupt", where: "hf/owner" }) as Error,
  );
  expect(() => checkManifest(value, ["hf", "owner"])).toThrow(says);
});
