/** Tools on a real model, natively and in WebAssembly: what it is made to call, and the way back. SmolLM2 135M knows no tools: only the form is looked at. */
import { afterAll, expect, it } from "vitest";
import { createSpell } from "../../src/node/main.ts";
import { onlyWhere } from "../support/only-where.ts";
import { isLong, sharedModel } from "../support.ts";

const path = sharedModel("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
const tools = [
  {
    name: "get_weather",
    description: "Weather of a city",
    inputSchema: {
      type: "object",
      properties: { city: { type: "string", maxLength: 20 }, unit: { enum: ["c", "f"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
  {
    name: "add",
    inputSchema: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
  },
] as const;
const spell = createSpell({ config: {}, env: {} });
afterAll(() => spell.dispose());

onlyWhere(path === undefined ? "no SmolLM2 in ../shared" : undefined).describe("SmolLM2", () => {
  const devices = ["cpu", "wasm"] as const;
  const most = isLong ? devices : devices.slice(0, 1);
  const options = { temperature: 0, maxTokens: 80, contextSize: 1024 } as const;

  it.each(isLong ? devices : [])(
    "calls what it has to call, with an input that the schema takes: %s",
    async (device) => {
      for (const toolChoice of ["required", { name: "add" }] as const) {
        const result = await spell.generate(path, "What is the weather in Rome?", { ...options, device, tools, toolChoice });
        expect(result).toMatchObject({
          text: "",
          finishReason: "tool-calls",
          toolCalls: [{ type: "tool-call", input: expect.any(Object) }],
        });
        if (typeof toolChoice === "object")
          expect(result.toolCalls[0]).toMatchObject({ name: "add", input: { a: expect.any(Number), b: expect.any(Number) } });
      }
    },
    120_000,
  );

  it.each(most)(
    "a call, its result, and an answer: %s",
    async (device) => {
      const called: unknown[] = [];
      const [weather] = tools;
      const execute = (input: unknown) => {
        called.push(input);
        return { degrees: 21 };
      };
      const result = await spell.generate(path, "What is the weather in Rome?", {
        ...options,
        device,
        tools: [{ ...weather, execute }],
        toolChoice: "required",
        maxToolCalls: 1,
      });
      expect(called).toEqual([{ city: expect.any(String), ...(called[0] as object) }]);
      expect(result.steps).toMatchObject([{ name: "get_weather", result: '{"degrees":21}', isError: false }]);
      expect(result.text).not.toBe("");
    },
    120_000,
  );
});
