/** examples/tools.mjs as it stands. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { root } from "../support.ts";

it("examples/tools.mjs shows a call, its result and an answer", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["examples/tools.mjs"], { cwd: root, encoding: "utf8" });
  expect({ status, stderr, stdout }).toEqual({
    status: 0,
    stderr: "",
    stdout: 'get_weather({"city":"Rome"}) = {"city":"Rome","degrees":21}\nIt is 21 degrees.\n',
  });
}, 60_000);
