import { load } from "llmspell";

const french = document.querySelector("#french");
const model = await load("tiny-t5-en-fr", { onProgress: (share) => (french.textContent = `loading: ${Math.round(share * 100)} %`) });
french.textContent = "ready";

document.querySelector("#translate").onclick = async () => {
  const english = document.querySelector("#english").value;
  const { text } = await model.generate(`translate English to French: ${english}`, { numBeams: 4 });
  french.textContent = text;
};
