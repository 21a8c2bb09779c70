/** Tools of scripts in workers of a page. */
import { workerScripts } from "../../../src/browser/scripts/host.ts";
import { describeScriptTools } from "../../contract/script-tools.ts";

describeScriptTools(workerScripts("suspension"));
