/** How families of models write calls of tools. What a chat template shows decides, never a model's name. */

/**
 * The texts around the names and inputs of calls. A whole answer is
 * `begin + head(name) + input + tail` of the first call, `between + head(name) + input + tail` of each further one, and `end`.
 */
export interface ToolFamily {
  readonly name: "hermes" | "mistral" | "mistral-named" | "llama" | "functionary";
  /** Each begins a call; text is held back while it could become one. */
  readonly triggers: readonly string[];
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

/** @returns undefined for a template whose form of calls is not known here */
export function familyOf(template: string): ToolFamily | undefined {
  if (template.includes("<tool_call>")) return hermes;
  if (template.includes("[TOOL_CALLS]"))
    return template.includes("[ARGS]") ? mistralNamed : mistral(template.includes("[TOOL_CALLS] [") ? " " : "");
  if (template.includes("<function=")) return functionary;
  if (/<\|python_tag\|>|"parameters": dictionary of argument/.test(template)) return llama;
  if (!readsTools(template)) return hermes;
  return /<\|channel\|>|<\uff5ctool/.test(template) ? undefined : hermes;
}

/** Whether a template tells a model of its tools by itself. */
export function readsTools(template: string): boolean {
  return /\btools\b/.test(template);
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
];
