/** What scripts may try, against workers of a page. */
import { workerScripts } from "../../../src/browser/scripts/host.ts";
import { opener } from "../../contract/script-host.ts";
import { scriptRows } from "../../contract/script-rows.ts";

scriptRows(opener(workerScripts("suspension")), { seed: 26 });
