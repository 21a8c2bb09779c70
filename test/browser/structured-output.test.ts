/** Forms of answers in Chromium. */
import { load } from "../../src/browser/index.ts";
import { heldAnswersContract } from "../contract/held-answers.ts";

heldAnswersContract("wllama in Chromium", () => load("tiny-stories"), 2);
heldAnswersContract("T5 in Chromium", () => load("tiny-t5-en-fr"), 2);
