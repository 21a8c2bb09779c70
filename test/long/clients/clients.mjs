/** LangChain.js and AI SDK 7, unchanged: `clients.mjs URL`. Prints what they got as one document. Node 22 or newer. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { generateText, Output, streamText } from "ai";
import { z } from "zod";

const [, , url = ""] = process.argv;
const model = "tiny-stories";
const configuration = { baseURL: `${url}/v1` };
const chat = new ChatOpenAI({ model, apiKey: "none", configuration, maxTokens: 5, modelKwargs: { seed: 3 }, maxRetries: 0 });
const asked = [new HumanMessage("Hi")];
const whole = await chat.invoke(asked);
let streamed = "";
for await (const { content } of await chat.stream(asked)) streamed += content;
const vector = await new OpenAIEmbeddings({ model, apiKey: "none", configuration }).embedQuery("Hi");
const missing = await new ChatOpenAI({ model: "nobody", apiKey: "none", configuration, maxRetries: 0 })
  .invoke(asked)
  .catch(({ status }) => status);

const sdk = createOpenAICompatible({ name: "llmspell", baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true })(model);
const options = { model: sdk, prompt: "Hi", maxOutputTokens: 5, seed: 3, maxRetries: 0 };
const text = await generateText(options);
const stream = streamText(options);
const output = Output.object({ schema: z.object({ yes: z.boolean() }) });
const object = await generateText({ ...options, maxOutputTokens: 60, output });

console.log(
  JSON.stringify({
    whole: whole.content,
    tokens: whole.usage_metadata?.output_tokens,
    streamed,
    vector: vector.length,
    missing,
    sdk: text.text,
    sdkTokens: text.usage.outputTokens,
    sdkStreamed: await stream.text,
    sdkObject: typeof object.output.yes,
  }),
);
