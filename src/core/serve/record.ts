/** What is known of each request, and the sums of all: the figures of `/metrics`. */
import { type ErrorCode, toSpellError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import type { Usage } from "../spec/generate.ts";

/** Of a request for a path that is not answered: paths of strangers would be figures without end. */
export const otherPath = "other";

/** For the header `x-request-id`. */
export function requestId(): string {
  return `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** A request that is over. It holds no text of prompts and answers. */
export interface RequestRecord {
  readonly id: string;
  readonly method: string;
  /** one of the paths that are answered; `other` for the rest */
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  /** id of the model that answered */
  readonly model?: string | undefined;
  /** of all its answers */
  readonly usage?: Usage | undefined;
  /** until the first text, waiting in the queue included */
  readonly firstTokenMs?: number | undefined;
  readonly error?: ErrorCode | undefined;
  /** its reader left before the end */
  readonly hasLeft?: true | undefined;
}

/** A request that is under way. */
export interface OpenRecord {
  path: string;
  model: string | undefined;
  usage: Usage | undefined;
  /** The first text has come. */
  first(): void;
  fail(error: unknown): void;
  /** The answer comes piece by piece. @returns ends it; the second call does nothing */
  streams(): (hasLeft?: boolean) => void;
  /** @returns the same response; one that does not stream is over now */
  follow(response: Response): Response;
}

export interface Answers {
  begin(id: string, method: string): OpenRecord;
  /** A request that was over before it came here. */
  note(record: RequestRecord): void;
  /** In the text format of Prometheus. */
  metrics(): string;
}

export function createAnswers({ now }: Pick<Platform, "now">, onRequest: ((record: RequestRecord) => void) | undefined): Answers {
  const requests = counter();
  const seconds = counter();
  const tokens = counter();
  const firsts = counter();
  let running = 0;

  const add = ({ path, status, durationMs, model, usage, firstTokenMs }: RequestRecord): void => {
    requests.add({ path, status: String(status) }, 1);
    seconds.add({ path }, durationMs / 1000);
    if (model === undefined) return;
    if (firstTokenMs !== undefined) firsts.add({ model }, firstTokenMs / 1000);
    if (usage === undefined) return;
    tokens.add({ model, kind: "prompt" }, usage.promptTokens);
    tokens.add({ model, kind: "cached" }, usage.cachedTokens ?? 0);
    tokens.add({ model, kind: "completion" }, usage.completionTokens);
  };

  const note = (record: RequestRecord): void => {
    add(record);
    onRequest?.(record);
  };

  return {
    note,
    begin(id, method) {
      const started = now();
      running += 1;
      let [status, isStream, isOver] = [200, false, false];
      let [firstTokenMs, error]: [number | undefined, ErrorCode | undefined] = [undefined, undefined];
      const end = (hasLeft = false): void => {
        if (isOver) return;
        isOver = true;
        running -= 1;
        const { path, model, usage } = own;
        const record = { id, method, path, status, durationMs: now() - started, model, usage, firstTokenMs, error };
        note(hasLeft ? { ...record, hasLeft } : record);
      };
      const own: OpenRecord = {
        path: otherPath,
        model: undefined,
        usage: undefined,
        first: () => {
          firstTokenMs ??= now() - started;
        },
        fail: (thrown) => {
          error = toSpellError(thrown).code;
        },
        streams: () => {
          isStream = true;
          return end;
        },
        follow: (response) => {
          status = response.status;
          if (!isStream) end(status === 499);
          return response;
        },
      };
      return own;
    },
    metrics: () =>
      [
        family("llmspell_requests_total", "counter", "Requests that are over.", requests),
        family("llmspell_request_seconds_total", "counter", "Seconds of requests that are over, streams included.", seconds),
        `# HELP llmspell_requests_running Requests under way, this one included.\n# TYPE llmspell_requests_running gauge\nllmspell_requests_running ${running}\n`,
        family("llmspell_tokens_total", "counter", "Tokens of prompts, of those found in the cache, and of answers.", tokens),
        family("llmspell_first_token_seconds_total", "counter", "Seconds until the first text of answers.", firsts),
      ].join(""),
  };
}

interface Counter {
  add(labels: Readonly<Record<string, string>>, value: number): void;
  readonly values: ReadonlyMap<string, number>;
}

function counter(): Counter {
  const values = new Map<string, number>();
  return {
    values,
    add(labels, value) {
      const key = Object.entries(labels)
        .map(([name, text]) => `${name}="${text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`)
        .join(",");
      values.set(key, (values.get(key) ?? 0) + value);
    },
  };
}

function family(name: string, type: string, help: string, { values }: Counter): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${[...values].map(([labels, value]) => `${name}{${labels}} ${value}\n`).join("")}`;
}
