// Runs a GGUF file that you choose from your disk. Nothing is uploaded.
import { createSpell, SpellError } from "llmspell";
import { browserPlatform } from "llmspell/browser";

const here = (path) => new URL(path, document.baseURI).href;
const spell = createSpell({
  platform: browserPlatform({
    // where build.mjs copied them
    wllama: { wasm: here("engines/wllama.wasm"), compat: { wasm: here("engines/compat.wasm"), worker: here("engines/compat.js") } },
    onnx: { wasm: here("engines/ort.wasm"), webgpu: here("engines/ort-webgpu.wasm") },
  }),
});

const story = document.querySelector("#story");
document.querySelector("#file").onchange = async ({ target }) => {
  story.textContent = "";
  try {
    const model = await spell.load(target.files[0]);
    for await (const text of model.stream("Once upon a time", { maxTokens: 60 }).textStream) story.append(text);
    await model.dispose();
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    story.textContent = `${error.message}\n${error.hint}\n[${error.code}]`;
  }
};
