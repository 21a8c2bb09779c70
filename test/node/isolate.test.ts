import { afterAll, describe, expect, it } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import { limits } from "../../src/core/limits.ts";
import type { TemplateInput } from "../../src/core/text/chat-template.ts";
import { processIsolate } from "../../src/node/isolate.ts";
import { soonMs } from "../support/soon.ts";

const isolate = processIsolate();
afterAll(() => isolate.dispose());

const render = (template: string, more: Partial<TemplateInput> = {}): Promise<unknown> =>
  isolate.run(
    "render-chat-template",
    { template, messages: [{ role: "user", content: "Hi" }], bosToken: "<s>", eosToken: "</s>", ...more },
    { timeoutMs: limits.templateMs, limitCode: "template-limit" },
  );

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => new Error(`rendered ${JSON.stringify(value).slice(0, 80)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SpellError)) throw error;
  return error.code;
}

describe("chat templates in an isolate", () => {
  it("renders messages, special tokens and the generation prompt", async () => {
    const template =
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    expect(await render(template)).toBe("<s>[user] Hi</s>[assistant]");
  });

  const hostile: readonly (readonly [string, string, RegExp])[] = [
    ["a range of 10^9", "{% for i in range(1000000000) %}x{% endfor %}", /^template-limit$/],
    [
      "a string that doubles",
      "{% set ns = namespace(t='x') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
      /^template-limit$/,
    ],
    [
      "a list that grows",
      "{% set ns = namespace(t=[1]) %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t | length }}",
      /^template-limit$/,
    ],
    ["nested loops that never end", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", /^template-limit$/],
    ["an unclosed loop", "{% for m in messages %}{{ m.content }}", /^template-parse$/],
    ["20,000 parentheses", `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`, /^template-(limit|parse)$/],
    ["__class__", "{{ ''.__class__.__mro__ }}", /^template-parse$/],
    ["constructor", "{{ messages.constructor.constructor('return process')() }}", /^template-parse$/],
    ["a computed constructor", "{{ messages['con' ~ 'structor']('return process')() }}", /^template-parse$/],
    ["include", "{% include 'secret.txt' %}", /^template-parse$/],
    ["an error of its own", "{{ raise_exception('roles must alternate') }}", /^template-parse$/],
    ["a source of 257 Ki", "x".repeat(257 * 1024), /^template-limit$/],
    ["an output over 4 Mi", "{% for i in range(50000) %}{{ messages[0].content }}{% endfor %}", /^template-limit$/],
  ];
  it.each(hostile)("G64 %s ends in a typed error", async (_name, template, code) => {
    const started = performance.now();
    const messages = [{ role: "user" as const, content: "x".repeat(100) }];
    expect(await codeOf(render(template, { messages }))).toMatch(code);
    expect(performance.now() - started).toBeLessThan(limits.templateMs + soonMs);
  });

  it("G64 works again after each of them, and the host was not touched", async () => {
    expect(await render("{{ messages[0].content }}")).toBe("Hi");
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("says what a template refused", async () => {
    await expect(render("{{ raise_exception('roles must alternate') }}")).rejects.toMatchObject({
      code: "template-parse",
      message: expect.stringContaining("roles must alternate"),
      details: { raised: true },
    });
  });

  it("R7 ends a running template when aborted", async () => {
    const controller = new AbortController();
    const promise = isolate.run(
      "render-chat-template",
      {
        template: "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        messages: [],
        bosToken: "",
        eosToken: "",
      },
      { timeoutMs: 5000, limitCode: "template-limit", signal: controller.signal },
    );
    setTimeout(() => controller.abort(), 50);
    expect(await codeOf(promise)).toBe("run-aborted");
  });

  it("keeps the event loop free while a template spins", async () => {
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 10);
    expect(await codeOf(render("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"))).toBe("template-limit");
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(20);
  });
});
