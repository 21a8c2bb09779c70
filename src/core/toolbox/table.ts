/** The built-in tools. What each stands on is imported when it is run. */
import { base64Encoder } from "./base64-encoder.ts";
import { calculator } from "./calculator.ts";
import { csvAnalyzer } from "./csv-analyzer.ts";
import { datetimeHandler } from "./datetime-handler.ts";
import { fileOperations } from "./file-operations.ts";
import { hashCalculator } from "./hash-calculator.ts";
import { httpRequest } from "./http-request.ts";
import { jsonProcessor } from "./json-processor.ts";
import { regex } from "./regex.ts";
import { template } from "./template.ts";
import { textDiff } from "./text-diff.ts";
import { textManipulator } from "./text-manipulator.ts";
import type { ToolDefinition } from "./types.ts";
import { urlAnalyzer } from "./url-analyzer.ts";
import { uuidGenerator } from "./uuid-generator.ts";

/** In the order of their names. */
export const builtinTools: readonly ToolDefinition[] = [
  base64Encoder,
  calculator,
  csvAnalyzer,
  datetimeHandler,
  fileOperations,
  hashCalculator,
  httpRequest,
  jsonProcessor,
  regex,
  template,
  textDiff,
  textManipulator,
  urlAnalyzer,
  uuidGenerator,
];
