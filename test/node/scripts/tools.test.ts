/** Tools of scripts in child processes. */
import { childScripts } from "../../../src/node/scripts/host.ts";
import { describeScriptTools } from "../../contract/script-tools.ts";

describeScriptTools(childScripts);
