/** Chat templates against Jinja of Python; golden texts by test/golden/templates/make.py (jinja2 3.1.6, set up as transformers 4.57.6 does). */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { renderChatTemplate, type TemplateInput } from "../../../src/core/text/chat-template.ts";
import golden from "../../golden/templates/templates.json" with { type: "json" };

const render = (template: string, messages: unknown = golden.short): string =>
  renderChatTemplate({ template, messages: messages as TemplateInput["messages"], bosToken: "<s>", eosToken: "</s>" });

function refusal(template: string): SpellError {
  try {
    render(template);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("it was rendered");
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(golden.now) });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What Python renders and we refuse, each with its reason. */
const refused: Readonly<Record<string, RegExp>> = {};

describe("an expression", () => {
  const expressions = golden.expressions as unknown as readonly (readonly [string, string | null])[];
  it.each(expressions.filter(([template, text]) => text !== null && refused[template] === undefined))("%s", (template, text) => {
    expect(render(template)).toBe(text);
  });

  it.each(expressions.filter(([, text]) => text === null))("%s is refused, as Python does", (template) => {
    expect(refusal(template).code).toMatch(/^template-(parse|limit)$/);
  });

  it.each(Object.entries(refused))("%s is refused here", (template, message) => {
    expect(refusal(template)).toMatchObject({ code: "template-parse", message: expect.stringMatching(message) });
  });
});

describe("a template with the constructs of", () => {
  const families = golden.families as unknown as readonly (readonly [string, string, string, string])[];
  it.each(families)("%s", (_, template, short, long) => {
    expect(render(template)).toBe(short);
    expect(render(template, golden.long)).toBe(long);
  });
});

it("a sum begins with what it is told to", () => {
  expect(render("{{ [[1], [2, 3]] | sum(start=[]) }}|{{ [{'n': [1]}, {'n': [2]}] | sum('n', []) }}|{{ [1, 2] | sum(start=0.5) }}")).toBe(
    "[1, 2, 3]|[1, 2]|3.5",
  );
});

it.each(["\r\n", "\r"])("line ends %j are those of Python", (end) => {
  const template = ["A", "{{ messages[0].content }}", "{% if true %}", "B", "{% endif %}", "C", ""].join("\n");
  expect(render(template.replaceAll("\n", end))).toBe(render(template));
  expect(render(template)).toMatch(/^A\n.*\nB\nC$/s);
});

describe("an error", () => {
  it.each<[string, string, string]>([
    ["of an expression names it", "a{{ messages[0].nope.x }}b", ".x of what is undefined; at: {{- messages[0].nope.x -}}"],
    ["of a filter names it", "{{ 1 | nofilter }}", "there is no filter 'nofilter'; at: {{- 1 | nofilter -}}"],
    ["of a test with arguments", "{{ 1 is notest(2) }}", "there is no test 'notest'; at: {{- 1 is notest(2) -}}"],
    ["of a method", "{{ 'a'.index('z') }}", 'str.index(): substring not found; at: {{- "a".index("z") -}}'],
    ["of the grammar names the place", "{% if true %}{{ messages[0] role }}{% endif %}", "; at: %} {{ messages [ 0 ] role"],
    ["of a loop that calls itself", "{% for x in [1] recursive %}{{ x }}{% endfor %}", "(recursive) is not supported; at: "],
    ["of the sign + behind a block", "{% if true %}a{% endif +%}", "the + of {%+ and +%} is not supported; at: "],
    ["of the sign + at the end of a condition", "{% if true +%}a{% endif %}", "the + of {%+ and +%} is not supported; at: "],
    ["of the sign + before a block", "a{%+ if true %}a{% endif %}", "the + of {%+ and +%} is not supported; at: "],
    ["of a statement", "{% include 'a' %}", "there is no statement 'include'; at: {% include"],
    ["of an end that is missing", "{% for x in [1] %}a", "it ends in the middle of a statement; at: "],
    ["of a sign that no expression has there", "{{ 1 + }}", "unexpected }}; at: {{ 1 + }}"],
    [
      "of a method that is unknown",
      "{{ 'a'.expandtabs(4) }}",
      'no function or method of this name is known; at: {{- "a".expandtabs(4) -}}',
    ],
    ["of a sum of texts", "{{ ['a'] | sum(start='') }}", "sum() can't sum strings"],
    ["of a name that reaches outside", "{{ messages.constructor }}", "it uses the name constructor, which no template needs"],
  ])("%s", (_, template, message) => {
    expect(refusal(template)).toMatchObject({ code: "template-parse", message: expect.stringContaining(message) });
  });

  it("of the template's own is told as its own", () => {
    expect(refusal("{{ raise_exception('roles must alternate') }}")).toMatchObject({
      code: "template-parse",
      message: "the chat template refuses these messages: roles must alternate",
      details: { raised: true },
    });
  });

  it.each([
    ["{{ 'x' * 100000000 }}"],
    ["{{ range(10 ** 9) | length }}"],
    ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"],
    ["{{ 'x'.center(1000000000) }}"],
    ["{% set ns = namespace(t='x' * 1000000) %}{% for i in range(64) %}{{ ns.t }}{% endfor %}"],
  ])("of what grows without end is template-limit: %s", (template) => {
    expect(refusal(template).code).toBe("template-limit");
  });
});
