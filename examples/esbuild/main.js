// Runs a GGUF file that you choose from your disk. Nothing is uploaded.
import { load, SpellError } from "llmspell";

const story = document.querySelector("#story");
document.querySelector("#file").onchange = async ({ target }) => {
  story.textContent = "";
  try {
    const model = await load(target.files[0]);
    for await (const text of model.stream("Once upon a time", { maxTokens: 60 }).textStream) story.append(text);
    await model.dispose();
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    story.textContent = `${error.message}\n${error.hint}\n[${error.code}]`;
  }
};
