// Any GGUF file of a decoder model, straight from the disk of whoever opens the page. Nothing is uploaded.
import { browserPlatform, createSpell, SpellError } from "llmspell";

const here = (path) => new URL(path, document.baseURI).href;
const spell = createSpell({
  platform: browserPlatform({
    // where build.mjs has put them
    wllama: { wasm: here("engines/wllama.wasm"), compat: { wasm: here("engines/compat.wasm"), worker: here("engines/compat.js") } },
    onnx: { wasm: here("engines/ort.wasm"), webgpu: here("engines/ort-webgpu.wasm") },
  }),
});

const story = document.querySelector("#story");
document.querySelector("#file").onchange = async ({ target }) => {
  story.textContent = "";
  try {
    const model = await spell.load(target.files[0]);
    for await (const part of model.stream("Once upon a time", { maxTokens: 60 })) {
      if (part.type === "text-delta") story.append(part.text);
    }
    await model.dispose();
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    story.textContent = `${error.message}\n${error.hint}\n[${error.code}]`;
  }
};
