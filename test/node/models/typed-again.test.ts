/** Every id that is printed can be typed again: from list to info, generate and remove, whatever servers and hubs call their models. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failure } from "../../support/failure.ts";
import { writeHubCache } from "../support/hub-cache.ts";
import { tinyGguf as gguf } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { folder, logged, open, server } = await scriptedModels();

/** Plays a server that has models of these names, and keeps what it was asked for. */
function ollamaOf() {
  let names: readonly string[] = [];
  const asked: (readonly [path: string, model: unknown])[] = [];
  const listener = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { model } = JSON.parse(body || "{}") as { readonly model?: string };
      if (request.method !== "GET") asked.push([request.url ?? "", model]);
      const isThere = model === undefined || names.includes(model);
      if (!isThere) response.writeHead(404).end(JSON.stringify({ error: `model '${model}' not found` }));
      else if (request.url === "/api/tags") response.end(JSON.stringify({ models: names.map((name) => ({ name, size: 1 })) }));
      else if (request.url === "/api/ps") response.end(JSON.stringify({ models: [] }));
      else if (request.url === "/api/chat") response.end(`${JSON.stringify({ message: { content: "hi" }, done: true })}\n`);
      else response.end("{}");
    });
  });
  return {
    listener,
    asked,
    have(some: readonly string[]) {
      names = some;
      asked.length = 0;
    },
  };
}

describe("models of an Ollama server", () => {
  const ollama = ollamaOf();
  const { asked, have, listener } = ollama;
  let url = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    listener.closeAllConnections();
    listener.close();
  });
  const openServer = () => open({ backends: ["candle", "ollama"], ollamaBaseUrl: url }).llm;

  // By types/model/name.go of ollama 0.6.5: what its isValidPart takes.
  const name = fc.oneof(fc.stringMatching(/^\w[\w.-]{0,12}$/), fc.constantFrom("con", "a..b", "x.", "Big-8B", "nul", "_m"));
  const tag = fc.oneof(fc.stringMatching(/^\w[\w.-]{0,12}$/), fc.constantFrom("latest", "8b-instruct-q4_K_M", "Q8_0", "_t"));
  const owner = fc.oneof(fc.stringMatching(/^\w[\w-]{0,10}$/), fc.constantFrom("openai", "local", "candle", "ollama", "Some-User"));
  const host = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_][\w.:-]{0,12}$/),
    fc.constantFrom("reg.example.com", "localhost:5000", "hf.co", "huggingface.co", "hf:80", "ollama:5000", "C:9", "registry"),
  );
  const full = fc
    .tuple(fc.option(fc.tuple(fc.option(host, { nil: undefined }), owner), { nil: undefined }), name, tag)
    .map(
      ([before, model, version]) =>
        `${(before ?? [])
          .flatMap((part) => part ?? [])
          .map((part) => `${part}/`)
          .join("")}${model}:${version}`,
    )
    // Ollama shows these without the host
    .filter((text) => !text.toLowerCase().startsWith("registry.ollama.ai/"));

  it("go by the server's own name, from list to info, generate and remove", async () => {
    const llm = openServer();
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(full, { minLength: 1, maxLength: 6, selector: (text) => text.toLowerCase() }), async (names) => {
        have(names);
        const ids = (await llm.list("ollama")).map(({ id }) => id);
        expect(ids).toHaveLength(names.length);
        for (const [index, id] of ids.entries()) {
          expect((await llm.info(id)).id).toBe(id);
          expect((await llm.generate(id, "x")).model).toBe(id);
          expect((await llm.remove(id)).modelId).toBe(id);
          expect(asked.map(([, model]) => model)).toEqual(asked.map(() => names[index]));
          expect(asked.map(([path]) => path)).toEqual(["/api/show", "/api/show", "/api/chat", "/api/delete"]);
          asked.length = 0;
        }
        await llm.unload();
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it("are read in any case, and without the tag that the server adds or leaves out", async () => {
    have(["MyModel:latest", "Some-User/Thing:V1", "bare", "__proto__"]);
    const llm = openServer();
    for (const [typed, id] of [
      ["mymodel@ollama", "MyModel:latest@ollama"],
      ["ollama:some-user/thing:v1", "Some-User/Thing:V1@ollama"],
      ["ollama/Some-User/Thing:v1", "Some-User/Thing:V1@ollama"],
      ["bare@ollama", "bare@ollama"],
      ["__proto__@ollama", "__proto__@ollama"],
    ] as const) {
      expect((await llm.info(typed)).id).toBe(id);
      expect((await llm.generate(typed, "x")).model).toBe(id);
    }
  });

  it("whose names are no names are left out, and that is told", async () => {
    have(["a b:c", "m:latest", "x@y", "\u001b[2J", "a/b/c/d:e", "m:a:b"]);
    expect((await openServer().list("ollama")).map(({ id }) => id)).toEqual(["m:latest@ollama"]);
    expect(logged).toContainEqual({ level: "warn", message: expect.stringContaining("5 models of the Ollama server") });
  });

  it("of a default model may have an owner", async () => {
    have(["some-user/thing:v1"]);
    const llm = open({ backends: ["ollama"], ollamaBaseUrl: url, ollama: { default_model: "some-user/thing:v1" } }).llm;
    expect((await llm.generate(undefined, "x")).model).toBe("some-user/thing:v1@ollama");
  });
});

/** As huggingface_hub's validate_repo_id takes them. */
const repository = fc.tuple(fc.stringMatching(/^\w[\w.-]{0,12}$/), fc.stringMatching(/^\w[\w.-]{0,20}$/)).filter((parts) =>
  // the systems on which they would be devices or ways upwards are named in reliability 81
  parts.every((part) => !/--|\.\.|[.-]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part)),
);
const file = fc
  .tuple(fc.stringMatching(/^\w[\w+ =-]{0,16}$/), fc.constantFrom("", "-Q4_K_M", ".iq4_xs", "-UD-Q4_K_XL", "_mxfp4", "-Q4_0_4_4", "-bf16"))
  .map(([stem, quant]) => `${stem}${quant}.gguf`)
  .filter((text) => !/mmproj|imatrix|-\d{5}-of-/i.test(text));

describe("models of the Hub", () => {
  it("go by their ids, from pull to list, info, generate and remove", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0"); // keeps the bytes, which are the same
    await fc.assert(
      fc.asyncProperty(
        repository,
        fc.uniqueArray(file, { minLength: 1, maxLength: 4, selector: (text) => text.toLowerCase() }),
        async ([owner, repo], names) => {
          server.addRepo(`${owner}/${repo}`, { files: Object.fromEntries(names.map((each) => [each, gguf])) });
          for (const each of names) await llm.pull(`hf:${owner}/${repo}/${each}`);
          await llm.pull(`hf:${owner}/${repo}`).catch(() => undefined);
          const ids = (await llm.list("candle")).flatMap(({ id }) => (id.startsWith(`hf:${owner}/${repo}`) ? [id] : []));
          expect(ids.length).toBeGreaterThanOrEqual(names.length);
          for (const id of ids) {
            expect((await llm.info(id)).id).toBe(id);
            expect((await llm.generate(id, "x", { maxTokens: 1 })).model).toBe(id);
            expect((await llm.remove(id)).modelId).toBe(id);
          }
          expect((await llm.list("candle")).map(({ id }) => id)).toEqual(["tiny-stories", "tiny-t5-en-fr", "hf:owner/gguf:Q8_0"]);
        },
      ),
      { numRuns: 15 },
    );
  }, 120_000);

  it("in the cache of other tools go by their ids too; what cannot be typed is not listed", async () => {
    const small = gguf;
    writeHubCache(join(folder, "hf"), "_me/Odd.Repo_1", {
      "s15-q4_0.gguf": small,
      "s110-Q4_0.gguf": small,
      "a@b.gguf": small,
      "x=y.gguf": small,
    });
    writeHubCache(join(folder, "hf"), "me/qat", { "m-q4_0-unquantized.Q2_K.gguf": small }, { main: false });
    const { llm } = open();
    const ids = (await llm.list("candle")).flatMap(({ id }) => (id.startsWith("hf:") ? [id] : []));
    expect(ids).toEqual([
      "hf:_me/Odd.Repo_1/s110-Q4_0.gguf",
      "hf:_me/Odd.Repo_1/s15-q4_0.gguf",
      "hf:_me/Odd.Repo_1/x=y.gguf",
      `hf:me/qat:Q2_K#${"a".repeat(40)}`,
    ]);
    for (const id of ids) {
      expect((await llm.info(id)).id).toBe(id);
      expect((await llm.generate(id, "x", { maxTokens: 1 })).model).toBe(id);
      expect((await llm.remove(id)).modelId).toBe(id);
    }
  });

  it("of a host of this network are named without being asked for again", async () => {
    server.files.set("m.gguf", gguf);
    const { llm } = open();
    const url = `${server.url}/files/m.gguf`;
    expect((await failure(llm.info(url))).code).toBe("spec-host");
    expect((await failure(llm.generate(url, "x"))).code).toBe("spec-host");
    await llm.pull(url, { allowHosts: ["127.0.0.1"] });
    const [id = ""] = (await llm.list("candle")).flatMap((model) => (model.bundled ? [] : [model.id]));
    expect(id).toBe(url);
    expect((await llm.generate(id, "x", { maxTokens: 1 })).model).toBe(id);
    expect((await llm.verify(id)).every(({ ok }) => ok)).toBe(true);
    expect(await llm.unload(id)).toBe(1);
    expect((await failure(llm.pull(id, { force: true }))).code).toBe("spec-host");
    expect((await llm.remove(id)).modelId).toBe(id);
  });

  it.each([
    ["that models.allow_hosts names", () => open({ allowHosts: ["127.0.0.1"] }).llm],
    ["that the program itself came from", () => open({}, { ownOrigin: server.url }).llm],
  ])("of a host %s are loaded, and fetched where that was asked for", async (_title, openOne) => {
    server.files.set("m.gguf", gguf);
    const llm = openOne();
    const url = `${server.url}/files/m.gguf`;
    expect((await failure(llm.load(url))).code).toBe("model-not-installed");
    expect((await failure(llm.generate(url, "x"))).code).toBe("model-not-installed");
    expect((await llm.generate(url, "x", { pull: true, maxTokens: 1 })).model).toBe(url);
  });

  it("of another port of the machine that the program came from are not asked", async () => {
    const { llm } = open({}, { ownOrigin: server.url });
    expect(await failure(llm.load("http://127.0.0.1:1234/m.gguf"))).toMatchObject({
      code: "spec-host",
      hint: expect.stringContaining("models.allow_hosts"),
    });
  });
});
