import { scriptedModel } from "../../../src/core/testing/index.ts";
import { languageModelContract } from "../../contract/language-model.ts";

languageModelContract("scripted runtime", { open: () => scriptedModel({ stepMs: 1 }), prompt: "Once upon a time" });
