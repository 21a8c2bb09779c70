/** What scripts may try, against workers of a page. */
import { workerScripts } from "../../../src/browser/scripts/host.ts";
import { opener } from "../../contract/script-host.ts";
import { scriptRows } from "../../contract/script-rows.ts";

// a part of the rows, and all in the long run
scriptRows(opener(workerScripts("suspension")), { seed: 26, every: import.meta.env["LLMSPELL_LONG"] === "1" ? 1 : 3 });
