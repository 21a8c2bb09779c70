/** The registry of Ollama: manifests, layers and its token service. */
import { describe, expect, it } from "vitest";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf, sha256 } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { blobs, open, server } = await scriptedModels();

describe("the Ollama registry", () => {
  const image = (): void => {
    server.addImage("library/tiny:1b", [
      { mediaType: "application/vnd.ollama.image.model", bytes: gguf },
      { mediaType: "application/vnd.ollama.image.template", bytes: Buffer.from("{{ .Prompt }}") },
      { mediaType: "application/vnd.ollama.image.license", bytes: Buffer.from("MIT") },
    ]);
  };

  it("gives a model by digest", async () => {
    image();
    const { llm } = open();
    expect(await llm.pull("ollama:tiny:1b")).toMatchObject({ modelId: "ollama:tiny:1b@candle", verified: "sha256" });
    expect(blobs()).toEqual([`sha256-${sha256(gguf)}`]);
    expect((await failure(llm.pull("ollama:nope"))).code).toBe("net-not-found");
  });

  type Manifest = { config: { size: number }; layers: { mediaType: string; digest: string; size: number }[] };
  it.each<[string, (manifest: Manifest) => void, string]>([
    ["G86 a digest that is a path", (m) => (m.layers[0]!.digest = "sha256:../../x"), "net-status"],
    ["G86 a size of −1", (m) => (m.layers[0]!.size = -1), "net-status"],
    ["G86 10,000 layers", (m) => (m.layers = Array.from({ length: 10_000 }, () => m.layers[1]!)), "net-too-big"],
    ["G86 an unknown layer", (m) => (m.layers[1]!.mediaType = "application/x-evil"), "net-status"],
    ["G87 a blob twice", (m) => m.layers.push(m.layers[0]!), "net-size"],
    ["G87 a size that is not the blob's", (m) => (m.layers[0]!.size += 1), "net-size"],
    ["G87 a configuration of 1 GB", (m) => (m.config.size = 1e9), "net-size"],
  ])("%s → refused, nothing stored", async (_, spoil, code) => {
    image();
    spoil(server.images.get("library/tiny:1b")?.manifest as Manifest);
    expect((await failure(open().llm.pull("ollama:tiny:1b"))).code).toBe(code);
    expect(blobs()).toEqual([]);
  });

  it("D30 a token service on another host → net-auth; nothing is sent there", async () => {
    image();
    server.plan("/manifests/", [{ status: 401, headers: { "www-authenticate": `Bearer realm="${server.cdnUrl}/token",service="x"` } }]);
    expect(await failure(open().llm.pull("ollama:tiny:1b"))).toMatchObject({
      code: "net-auth",
      message: expect.stringContaining(server.cdnUrl.slice(7)),
    });
    expect(server.seen.filter(({ host }) => host === "cdn")).toEqual([]);
  });

  it("a token service of the registry's own is asked, and its token used", async () => {
    image();
    server.plan("/manifests/", [
      { status: 401, headers: { "www-authenticate": `Bearer realm="${server.url}/files/token",service="x",scope="pull"` } },
    ]);
    server.files.set("token", Buffer.from('{"token":"abc"}'));
    await open().llm.pull("ollama:tiny:1b");
    expect(
      server.seen.filter(({ path, headers }) => path.includes("/v2/") && headers.authorization === "Bearer abc").length,
    ).toBeGreaterThan(1);
    expect(server.seen.find(({ path }) => path.startsWith("/files/token"))?.path).toContain("scope=pull");
    expect(server.seen.filter(({ host, headers }) => host === "cdn" && headers.authorization !== undefined)).toEqual([]);
  });
});
