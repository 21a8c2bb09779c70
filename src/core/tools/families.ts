/** How families of models write calls of tools. What a chat template shows decides, never a model's name. */

/**
 * The texts around the names and inputs of calls. A whole answer is
 * `begin + head(name) + input + tail` of the first call, `between + head(name) + input + tail` of each further one, and `end`.
 */
export interface ToolFamily {
  readonly name: "hermes" | "mistral" | "mistral-named" | "llama" | "functionary" | "harmony" | "deepseek";
  /** Each begins a call; text is held back while it could become one. */
  readonly triggers: readonly string[];
  /** What begins a further call, where the trigger stands before the first alone. */
  readonly again?: string | undefined;
  /** Written into the prompt where the model has to call: what calls begin with. */
  readonly lead: string;
  readonly begin: string;
  readonly head: (name: string) => string;
  readonly tail: string;
  /** absent: one call an answer */
  readonly between?: string | undefined;
  readonly end: string;
  /** What may stand between a trigger and the first `{`; its group `name` is the name of the tool, where that stands before the input. */
  readonly opening: RegExp;
  /** What may follow an input and is no text. */
  readonly glue: readonly string[];
  /** Several calls share one trigger, and the next begins with `{`. */
  readonly isList: boolean;
}

const json =
  (before: string, key: "arguments" | "parameters") =>
  (name: string): string =>
    `${before}{"name": ${JSON.stringify(name)}, "${key}": `;

const hermes: ToolFamily = {
  name: "hermes",
  triggers: ["<tool_call>"],
  lead: "<tool_call>",
  begin: "",
  head: json("<tool_call>\n", "arguments"),
  tail: "}\n</tool_call>",
  between: "\n",
  end: "",
  opening: /^\s*$/,
  glue: ["</tool_call>"],
  isList: false,
};

const mistral = (gap: string): ToolFamily => ({
  name: "mistral",
  triggers: ["[TOOL_CALLS]"],
  lead: "[TOOL_CALLS]",
  begin: `[TOOL_CALLS]${gap}[`,
  head: json("", "arguments"),
  tail: "}",
  between: ", ",
  end: "]",
  opening: /^\s*\[?\s*$/,
  glue: [",", "]"],
  isList: true,
});

const mistralNamed: ToolFamily = {
  name: "mistral-named",
  triggers: ["[TOOL_CALLS]"],
  lead: "[TOOL_CALLS]",
  begin: "",
  head: (name) => `[TOOL_CALLS]${name}[ARGS]`,
  tail: "",
  between: "",
  end: "",
  opening: /^\s*(?<name>[\w-]{1,64})\s*(?:\[CALL_ID\]\w*)?(?:\[ARGS\])?\s*$/,
  glue: [],
  isList: false,
};

const llama: ToolFamily = {
  name: "llama",
  triggers: ['{"name"', "<|python_tag|>"],
  lead: "",
  begin: "",
  head: json("", "parameters"),
  tail: "}",
  end: "",
  opening: /^\s*$/,
  glue: [";"],
  isList: false,
};

const functionary: ToolFamily = {
  name: "functionary",
  triggers: ["<function="],
  lead: "<function=",
  begin: "",
  head: (name) => `<function=${name}>`,
  tail: "</function>",
  between: "",
  end: "",
  opening: /^\s*(?<name>[\w-]{1,64})>\s*$/,
  glue: ["</function>"],
  isList: false,
};

/** gpt-oss: a message of its own to the function. Its end is a token that ends the answer; the recipient may stand behind the role too. */
const toFunction = "<|channel|>commentary to=functions.";
const harmony: ToolFamily = {
  name: "harmony",
  triggers: [toFunction, `<|end|><|start|>assistant${toFunction}`, " to=functions."],
  lead: toFunction,
  begin: "",
  head: (name) => `${toFunction}${name} <|constrain|>json<|message|>`,
  tail: "",
  end: "",
  opening: /^\s*(?<name>[\w-]{1,64})\s*(?:<\|channel\|>commentary)?\s*(?:<\|constrain\|>)?\s*(?:json)?\s*<\|message\|>\s*$/,
  glue: ["<|call|>", "<|end|>"],
  isList: false,
};

/** DeepSeek's marks are written with a bar and a block of their own. */
const deepMark = (words: string): string => `<\uff5c${words.replaceAll(" ", "\u2581")}\uff5c>`;
const deep = {
  all: deepMark("tool calls begin"),
  allEnd: deepMark("tool calls end"),
  call: deepMark("tool call begin"),
  callEnd: deepMark("tool call end"),
  gap: deepMark("tool sep"),
} as const;

/** @param isFenced V3 and R1 write "function" before the name and the input as a block of code; V3.1 writes both as they are */
const deepseek = (isFenced: boolean): ToolFamily => ({
  name: "deepseek",
  triggers: [deep.all],
  again: deep.call,
  lead: deep.all,
  begin: deep.all,
  head: (name) => (isFenced ? `${deep.call}function${deep.gap}${name}\n\`\`\`json\n` : `${deep.call}${name}${deep.gap}`),
  tail: isFenced ? `\n\`\`\`${deep.callEnd}` : deep.callEnd,
  between: isFenced ? "\n" : "",
  end: deep.allEnd,
  opening: new RegExp(
    `^\\s*(?:${deep.call})?\\s*(?:function${deep.gap})?(?<name>[\\w-]{1,64})\\s*(?:${deep.gap})?\\s*(?:\`\`\`json)?\\s*$`,
  ),
  glue: ["```", deep.callEnd, deep.allEnd],
  isList: false,
});

/** @returns undefined for a template whose form of calls is not known here */
export function familyOf(template: string): ToolFamily | undefined {
  if (template.includes("<tool_call>")) return hermes;
  if (template.includes("[TOOL_CALLS]"))
    return template.includes("[ARGS]") ? mistralNamed : mistral(template.includes("[TOOL_CALLS] [") ? " " : "");
  if (template.includes("<function=")) return functionary;
  if (/<\|python_tag\|>|"parameters": dictionary of argument/.test(template)) return llama;
  if (!readsTools(template)) return hermes;
  if (template.includes("<|channel|>")) return /\bfunctions\./.test(template) ? harmony : undefined;
  if (template.includes(deep.call)) return deepseek(template.includes("```json"));
  return template.includes("<\uff5ctool") ? undefined : hermes;
}

/** Whether a template tells a model of its tools by itself. */
export function readsTools(template: string): boolean {
  return /\btools\b/.test(template);
}

/** Whether a template joins the arguments of earlier calls to its text, where others write data. */
export function joinsArguments(template: string): boolean {
  return template.includes(deep.call) && !/\barguments\b['"\]\s]*\|\s*tojson/.test(template);
}

/** All texts by which any family marks calls and results: in what strangers wrote they are broken. */
export const toolMarks: readonly string[] = [
  "<tool_call>",
  "</tool_call>",
  "<tool_response>",
  "</tool_response>",
  "<tools>",
  "</tools>",
  "[TOOL_CALLS]",
  "[TOOL_RESULTS]",
  "[/TOOL_RESULTS]",
  "[AVAILABLE_TOOLS]",
  "[/AVAILABLE_TOOLS]",
  "[ARGS]",
  "[CALL_ID]",
  "<|python_tag|>",
  "<function=",
  "</function>",
  "<|channel|>",
  "<|constrain|>",
  "<|message|>",
  "<|call|>",
  ...Object.values(deep),
];
