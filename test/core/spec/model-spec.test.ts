import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkModelName, type ModelSpec, parseModelSpec, printModelSpec } from "../../../src/core/spec/model-spec.ts";

const sha = "0123456789abcdef".repeat(4);

describe("model spec", () => {
  it.each<[string, ModelSpec]>([
    ["tiny-stories", { kind: "name", name: "tiny-stories" }],
    ["tiny-stories:Q8_0", { kind: "name", name: "tiny-stories", variant: "Q8_0" }],
    ["tiny-stories@local", { kind: "name", name: "tiny-stories", backend: "candle" }],
    ["tiny-stories:q8_0@Candle", { kind: "name", name: "tiny-stories", variant: "q8_0", backend: "candle" }],
    ["llama3.2:1b@ollama", { kind: "name", name: "llama3.2", variant: "1b", backend: "ollama" }],
    ["x@my-provider", { kind: "name", name: "x", backend: "my-provider" }],
    ["./a model.gguf", { kind: "path", path: "./a model.gguf" }],
    ["../x@candle", { kind: "path", path: "../x", backend: "candle" }],
    ["/models/a@b.gguf", { kind: "path", path: "/models/a@b.gguf" }],
    ["~/m.gguf", { kind: "path", path: "~/m.gguf" }],
    ["C:\\m.gguf", { kind: "path", path: "C:\\m.gguf" }],
    ["D:/m.gguf", { kind: "path", path: "D:/m.gguf" }],
    ["\\\\host\\share\\m.gguf", { kind: "path", path: "\\\\host\\share\\m.gguf" }],
    [".", { kind: "path", path: "." }],
    ["hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", { kind: "hf", owner: "Qwen", repo: "Qwen2.5-0.5B-Instruct-GGUF", variant: "Q4_K_M" }],
    ["HF:google/flan-t5-small@local", { kind: "hf", owner: "google", repo: "flan-t5-small", backend: "candle" }],
    ["hf:a/b/c.gguf#refs/pr/1", { kind: "hf", owner: "a", repo: "b", file: "c.gguf", revision: "refs/pr/1" }],
    ["hf.co/a/b:Q8_0", { kind: "hf", owner: "a", repo: "b", variant: "Q8_0" }],
    ["huggingface.co/a/b", { kind: "hf", owner: "a", repo: "b" }],
    ["https://huggingface.co/a/b", { kind: "hf", owner: "a", repo: "b" }],
    ["https://hf.co/a/b/blob/main/c.gguf", { kind: "hf", owner: "a", repo: "b", file: "c.gguf" }],
    ["https://huggingface.co/a/b/resolve/v1/c.gguf?download=true", { kind: "hf", owner: "a", repo: "b", file: "c.gguf", revision: "v1" }],
    ["https://huggingface.co/a/b/resolve/main/sub/c.gguf", { kind: "url", url: "https://huggingface.co/a/b/resolve/main/sub/c.gguf" }],
    ["ollama:llama3.2:1b", { kind: "registry", name: "llama3.2", tag: "1b" }],
    ["ollama:llama3:8b-instruct-q4_K_M@candle", { kind: "registry", name: "llama3", tag: "8b-instruct-q4_K_M", backend: "candle" }],
    ["registry.ollama.ai/library/llama3.2", { kind: "registry", name: "llama3.2" }],
    ["ollama:someone/model", { kind: "registry", namespace: "someone", name: "model" }],
    ["ollama:Someone/Model-8B:Q8_0", { kind: "registry", namespace: "Someone", name: "Model-8B", tag: "Q8_0" }],
    ["ollama:reg.example.com:5000/team/m:v1", { kind: "registry", host: "reg.example.com:5000", namespace: "team", name: "m", tag: "v1" }],
    ["some-user/thing:v1@ollama", { kind: "registry", namespace: "some-user", name: "thing", tag: "v1", backend: "ollama" }],
    ["registry:5000/a/b:_c@ollama", { kind: "registry", host: "registry:5000", namespace: "a", name: "b", tag: "_c", backend: "ollama" }],
    ["hf.co/foo/Bar:Q4@ollama", { kind: "registry", host: "hf.co", namespace: "foo", name: "Bar", tag: "Q4", backend: "ollama" }],
    ["hf:foo/Bar:Q4@ollama", { kind: "hf", owner: "foo", repo: "Bar", variant: "Q4", backend: "ollama" }],
    ["con:latest@ollama", { kind: "name", name: "con", variant: "latest", backend: "ollama" }],
    ["hf:_a/_b:Q4_0", { kind: "hf", owner: "_a", repo: "_b", variant: "Q4_0" }],
    ["https://example.org/m@local@candle", { kind: "url", url: "https://example.org/m@local", backend: "candle" }],
    ["https://Example.org/m.gguf", { kind: "url", url: "https://example.org/m.gguf" }],
    [
      `https://example.org/m.gguf#sha256=${sha.toUpperCase()}@candle`,
      { kind: "url", url: "https://example.org/m.gguf", sha256: sha, backend: "candle" },
    ],
  ])("reads %s", (text, expected) => {
    expect(parseModelSpec(text)).toEqual(expected);
  });

  it.each([
    ["local/tinyllama", { kind: "name", name: "tinyllama", backend: "candle" }],
    ["ollama/llama3.2:1b", { kind: "name", name: "llama3.2", variant: "1b", backend: "ollama" }],
    ["openai/gpt-4o", { kind: "name", name: "gpt-4o", backend: "openai" }],
    ["openai/x@candle", { kind: "name", name: "x", backend: "candle" }],
    ["local/x@ollama", { kind: "name", name: "x", backend: "ollama" }],
    ["ollama/some-user/thing:v1", { kind: "registry", namespace: "some-user", name: "thing", tag: "v1", backend: "ollama" }],
    ["ollama:openai/x:v1@ollama", { kind: "registry", namespace: "openai", name: "x", tag: "v1", backend: "ollama" }],
  ])("reads the provider before the first slash of %s, where providers are told", (text, expected) => {
    expect(parseModelSpec(text, { providers: ["ollama", "openai"] })).toEqual(expected);
  });

  it.each([
    ["google/flan-t5-small", "hf:google/flan-t5-small", "pull"],
    ["Qwen/Qwen3-0.6B-GGUF:Q8_0@candle", "hf:Qwen/Qwen3-0.6B-GGUF:Q8_0@candle", "pull"],
    ["owner/repo/m.gguf#v1", "hf:owner/repo/m.gguf#v1", "pull"],
    ["models/m.gguf", "./models/m.gguf", "run"],
  ])("asks whether %s is %s, with and without providers", (text, meant, kind) => {
    const asked = {
      message: expect.stringContaining(`did you mean ${meant}?`),
      actions: [{ kind, model: meant }],
      details: { typed: text, meant },
    };
    expect(() => parseModelSpec(text, { providers: [] })).toThrow(expect.objectContaining({ code: "backend-unknown", ...asked }));
    expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-syntax", ...asked }));
  });

  it("also names the provider that was meant", () => {
    expect(() => parseModelSpec("opnai/gpt-4o", { providers: ["ollama", "openai"] })).toThrow(
      expect.objectContaining({ code: "backend-unknown", hint: expect.stringMatching(/^Did you mean openai\/gpt-4o\? /) }),
    );
  });

  it("says the grammar once", () => {
    expect(() => parseModelSpec("a b")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("hf:OWNER"), hint: expect.stringContaining("hf:OWNER/REPO") }),
    );
    expect(() => parseModelSpec("google/flan-t5-small")).toThrow(
      expect.objectContaining({ code: "spec-syntax", where: "google/flan-t5-small" }),
    );
  });

  it.each([
    "",
    "x".repeat(513),
    "x".repeat(81),
    "-x",
    "a:b:c",
    "a:",
    ":a",
    "a@",
    "a@b/c",
    "a\0b",
    "a\u202eb",
    "a\u200bb",
    "a..b",
    "a b",
    "a\\b",
    "hf:",
    "hf:owner",
    "hf:/repo",
    "hf:../x",
    "hf:a/..",
    "hf:a/b:Q4:Q5",
    "hf:a/b:Q4/c.gguf",
    "hf:a/b#",
    "hf:a/b#../x",
    "hf:a/b/../c",
    "hf:a/b/.hidden",
    "ollama:",
    "https://",
    "https://example.org/m#sha256=12",
    "https://example.org/m#main",
    "https://huggingface.co/a/b/resolve/main/%E0%A4%A.gguf",
  ])("refuses %j", (text) => {
    expect(() => parseModelSpec(text)).toThrow(
      expect.objectContaining({ code: "spec-syntax", hint: expect.stringContaining("hf:OWNER/REPO") }),
    );
  });

  it.each([
    "../../etc/passwd",
    "..\\..\\x",
    "C:\\x",
    "\\\\host\\share",
    "a%2f..%2fb",
    "CON",
    "a\0b",
    "~/.ssh/x",
    "-x",
    "x".repeat(5000),
    "a\u200fb",
    "tіnyllama",
    "aux.gguf",
    "x.",
  ])("G81: refuses the name %j on every system", (name) => {
    expect(() => checkModelName(name)).toThrow(expect.objectContaining({ code: "spec-syntax" }));
    for (const text of [`hf:owner/${name}`, `hf:${name}/repo`, `ollama:${name}`]) {
      expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-syntax" }));
    }
  });

  it("G81: reads a:b as model and variant", () => {
    expect(parseModelSpec("a:b")).toEqual({ kind: "name", name: "a", variant: "b" });
  });

  it.each(["hf:owner/repo@", "hf:owner/repo@main", `hf:owner/repo@${"a".repeat(39)}`, "hf:owner/repo/folder/file.gguf", "hf:///repo"])(
    "G82: refuses %s",
    (text) => {
      expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-syntax" }));
    },
  );

  it.each([
    "ollama:name:tag:tag",
    "ollama:Name/",
    "a/b/c/d@ollama",
    "a b@ollama",
    "-a@ollama",
    `${"a".repeat(81)}@ollama`,
    "ollama:reg.example.com/a/../c",
    `ollama:${"a".repeat(81)}`,
    "ollama:/name",
    "ollama:a//b",
    "ollama:name:",
    "ollama:.name",
    "ollama:a/.b",
    "ollama:a/b/c",
  ])("G83: refuses %s", (text) => {
    expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-syntax" }));
  });

  it.each([
    "http://169.254.169.254/latest/meta-data",
    "http://localhost/m.gguf",
    "http://LOCALHOST./m.gguf",
    "https://x.localhost/m",
    "https://nas/m.gguf",
    "https://printer.local/m.gguf",
    "https://10.0.0.1/m",
    "https://172.31.0.1/m",
    "https://192.168.1.1/m",
    "https://100.64.0.1/m",
    "https://0.0.0.0/m",
    "https://2130706433/m",
    "https://0x7f000001/m",
    "https://0177.0.0.1/m",
    "https://127.1/m",
    "https://[::1]/m",
    "https://[::ffff:127.0.0.1]/m",
    "https://[::ffff:10.0.0.1]/m",
    "https://[fe80::1]/m",
    "https://[fd00::1]/m",
    "https://[2002:7f00:1::]/m",
    "https://user:pass@example.org/m",
    "https://user@example.org/m",
    "https://example.org:22/m",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "data:text/plain,x",
    "ftp://example.org/m.gguf",
    "javascript:alert(1)",
  ])("G84: does not ask %s", (text) => {
    expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-host" }));
  });

  it("G84: asks a private host that was permitted, and that one only", () => {
    const allowHosts = ["127.0.0.1", "nas:8080"];
    expect(parseModelSpec("http://127.0.0.1:9000/m.gguf", { allowHosts })).toEqual({ kind: "url", url: "http://127.0.0.1:9000/m.gguf" });
    expect(parseModelSpec("http://nas:8080/m.gguf", { allowHosts }).kind).toBe("url");
    expect(() => parseModelSpec("http://nas:8081/m.gguf", { allowHosts })).toThrow(expect.objectContaining({ code: "spec-host" }));
    expect(() => parseModelSpec("http://10.0.0.1/m", { allowHosts })).toThrow(expect.objectContaining({ code: "spec-host" }));
    expect(() => parseModelSpec("http://a:b@127.0.0.1/m", { allowHosts })).toThrow(expect.objectContaining({ code: "spec-host" }));
  });

  it.each(["https://8.8.8.8/m", "https://172.32.0.1/m", "https://[2606:4700::1111]/m", "https://example.org:8443/m"])(
    "G84: asks %s",
    (text) => {
      expect(parseModelSpec(text).kind).toBe("url");
    },
  );

  it("G84: names what is here from any host, never with a password", () => {
    const options = { allowHosts: "any" } as const;
    expect(parseModelSpec("http://10.0.0.1:9000/m.gguf", options).kind).toBe("url");
    expect(() => parseModelSpec("http://a:b@10.0.0.1/m", options)).toThrow(expect.objectContaining({ code: "spec-host" }));
  });

  describe("printed and read again", () => {
    const letters = "abcXYZ019";
    const word = (extra: string, max: number, only = letters) =>
      fc
        .tuple(fc.constantFrom(...only), fc.string({ unit: fc.constantFrom(...only, ...extra), maxLength: max }))
        .map(([first, rest]) => first + rest)
        .filter((text) => !text.includes("..") && !text.endsWith("."));
    const name = word("._-", 20);
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    const backend = optional(fc.constantFrom("candle", "ollama", "my-box"));
    const hubBackend = optional(fc.constantFrom("candle", "ollama"));
    const clean = (value: object): ModelSpec => JSON.parse(JSON.stringify(value)) as ModelSpec;
    const spec: fc.Arbitrary<ModelSpec> = fc
      .oneof(
        fc.record({ kind: fc.constant("name"), name, variant: optional(name), backend }),
        fc
          .record({
            kind: fc.constant("hf"),
            owner: name,
            repo: name,
            backend: hubBackend,
            revision: optional(fc.constantFrom("v1.0", "refs/pr/2", "a".repeat(40))),
          })
          .chain((base) =>
            fc.oneof(
              fc.constant(base),
              name.map((variant) => ({ ...base, variant })),
              name.map((file) => ({ ...base, file: `${file}-x.gguf` })),
            ),
          ),
        fc.record({
          kind: fc.constant("registry"),
          namespace: optional(name.filter((text) => text !== "library")),
          name,
          tag: optional(name),
          backend,
        }),
        fc.record({
          kind: fc.constant("registry"),
          host: fc.constantFrom("hf.co", "localhost:5000", "reg.example.com", "ollama:5000"),
          namespace: name,
          name,
          tag: optional(name),
          backend,
        }),
        fc.record({
          kind: fc.constant("url"),
          url: fc.webUrl({ withQueryParameters: true, validSchemes: ["https"] }).map((url) => new URL(url).href),
          sha256: optional(fc.constant(sha)),
          backend: optional(fc.constant("candle")),
        }),
        fc.record({
          kind: fc.constant("path"),
          path: fc.string({ maxLength: 30 }).map((text) => `./${text.replace(/[\p{Cc}@]/gu, "_")}`),
          backend: optional(fc.constant("candle")),
        }),
      )
      .map(clean)
      // printed with the one backend that opens addresses
      .map((value) => (value.kind === "url" && /@(candle|local)$/i.test(value.url) ? { ...value, backend: "candle" } : value))
      .filter((value) => value.kind !== "url" || !/huggingface|hf\.co/.test(value.url));

    it("is the same spec", () => {
      fc.assert(
        fc.property(spec, (value) => {
          const text = printModelSpec(value);
          fc.pre(text.length <= 512);
          expect(parseModelSpec(text)).toEqual(value);
        }),
        { numRuns: 2000 },
      );
    });

    it("is the same text, once it was printed; whatever is read ends in a spec or a typed error", () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: fc.constantFrom(..."ab0:/@#._-~\\hf:ollama:https://"), maxLength: 40 })),
          (text) => {
            let read: ModelSpec;
            try {
              read = parseModelSpec(text);
            } catch (error) {
              expect((error as { code?: string }).code).toMatch(/^spec-/);
              return;
            }
            const printed = printModelSpec(read);
            expect(printModelSpec(parseModelSpec(printed))).toBe(printed);
          },
        ),
        { numRuns: 5000 },
      );
    });
  });

  it("of an address of another kind says what to give instead", () => {
    for (const text of ["ftp://example.org/m.gguf", "file:///m.gguf", "data:x"])
      expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code: "spec-host", hint: "Give one, or a path." }));
  });
});
