/** Names of the built-in tools. Nothing is imported: what needs only names waits for no tool. */
export const toolNames = [
  "base64-encoder",
  "calculator",
  "csv-analyzer",
  "datetime-handler",
  "file-operations",
  "hash-calculator",
  "http-request",
  "json-processor",
  "regex",
  "template",
  "text-diff",
  "text-manipulator",
  "url-analyzer",
  "uuid-generator",
] as const;
