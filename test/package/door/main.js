// What a first page writes: nothing in it knows which bundler builds it.
import { load } from "llmspell";

const story = await load("tiny-stories");
for await (const text of story.stream("Once upon a time", { maxTokens: 30 }).textStream) document.querySelector("#story").append(text);

const translator = await load("tiny-t5-en-fr");
document.querySelector("#french").append((await translator.generate("translate English to French: Where is the train station?")).text);
