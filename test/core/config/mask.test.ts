import { describe, expect, it } from "vitest";
import { maskAddress, maskLine, maskSecrets } from "../../../src/core/config/mask.ts";
import { soonMs } from "../../support/soon.ts";

describe("maskAddress", () => {
  it.each([
    ["see http://me:pw@host/x, and ftp://you@host", "see http://********@host/x, and ftp://********@host"],
    ["http://me:p@ss@host", "http://********@host"],
    ["http://me:p/s#s?@host", "http://********@host"],
    ["http://host:8080/a@b", "http://host:8080/a@b"],
    ["http://host/x?mail=a@b", "http://host/x?mail=a@b"],
    ["tiny-stories@candle", "tiny-stories@candle"],
    ["'http://me:pw@one' 'http://two/x@y'", "'http://********@one' 'http://two/x@y'"],
    ["http://b:http://me:pw@host", "http://********@host"],
  ])("%s", (text, shown) => expect(maskAddress(text)).toBe(shown));

  it.each([
    ["letters", `${"a".repeat(1_000_000)}@`],
    ["addresses", `${"a://x:y".repeat(150_000)}@`],
    ["ports", `${"a://x:1".repeat(150_000)}@`],
    ["signs", "a://@@@@@@@".repeat(100_000)],
    ["words", `${"a ".repeat(500_000)}://@`],
    ["names of secrets", "key token ".repeat(100_000)],
    ["spaces", `key${" ".repeat(1_000_000)}@`],
  ])("a mebibyte of %s is looked at once", (_, text) => {
    const started = performance.now();
    maskAddress(text);
    maskLine(text);
    expect(performance.now() - started).toBeLessThan(soonMs);
  });
});

it("a line shows no more of an address than where it leads", () => {
  expect(maskLine('base_url = "http://host:1/v1?x=SECRET" # the office')).toBe('base_url = "http://host:1/v1?********" # the office');
  expect(maskLine('base_url = "http://host/v1#SECRET"')).toBe('base_url = "http://host/v1#********"');
});

it("secrets go at any depth, whatever their type; addresses lose what stands before the host", () => {
  const shown = { api_key: "********", inner: [{ token: "********", url: "http://********@host" }], password: "", n: 1 };
  expect(maskSecrets({ api_key: "sk-1", inner: [{ token: 5, url: "http://me:pw@host" }], password: "", n: 1 })).toEqual(shown);
});
