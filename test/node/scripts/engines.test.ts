/** The engines of scripts in child processes. */
import { childScripts } from "../../../src/node/scripts/host.ts";
import { scriptEngines } from "../../contract/script-engines.ts";
import { opener } from "../../contract/script-host.ts";

scriptEngines(opener(childScripts));
