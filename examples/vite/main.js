import { collect, load } from "llmspell";

const french = document.querySelector("#french");
const model = await load("tiny-t5-en-fr", { onProgress: (share) => (french.textContent = `loading: ${Math.round(share * 100)} %`) });
french.textContent = "ready";

document.querySelector("#translate").onclick = async () => {
  const english = document.querySelector("#english").value;
  french.textContent = await collect(model.stream(`translate English to French: ${english}`, { numBeams: 4 }));
};
