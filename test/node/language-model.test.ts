/** The contract on the real runtimes of Node, through the public entry. */
import { load } from "../../src/node/index.ts";
import { languageModelContract } from "../contract/language-model.ts";

const prompt = "Once upon a time";

languageModelContract("node-llama-cpp, native CPU", { open: () => load("tiny-stories", { device: "cpu" }), prompt });
languageModelContract("wllama, WASM in Node", { open: () => load("tiny-stories", { device: "wasm" }), prompt });
