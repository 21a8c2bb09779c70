import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { editToml } from "../../../src/core/config/edit.ts";

const set = (text: string, path: string, value: string | undefined) => editToml(text, path.split("."), value);

describe("one key of a TOML text", () => {
  it.each([
    ["an empty text", "", "a", "1", "a = 1\n"],
    ["a text without a last newline", "b = 2", "a", "1", "a = 1\nb = 2"],
    ["comments at the begin", "# mine\n\n[t]\nx = 1\n", "a", "1", "# mine\na = 1\n\n[t]\nx = 1\n"],
    ["a value with a comment", "a = 1 # why\n", "a", '"x"', 'a = "x" # why\n'],
    ["a value of several lines", "a = [\n 1, # one\n 2,\n]\nb = 1\n", "a", "[]", "a = []\nb = 1\n"],
    ["a table that is there", "[t] # t\n# about x\nx = 1\n", "t.y", "2", "[t] # t\ny = 2\n# about x\nx = 1\n"],
    ["a table that is not there", "[t]\nx = 1\n", "t.u.y", "2", "[t]\nx = 1\n\n[t.u]\ny = 2\n"],
    ["dotted keys", "t.x = 1\n[z]\nq = 1\n", "t.y", "2", "t.y = 2\nt.x = 1\n[z]\nq = 1\n"],
    ["dotted keys in a table", "[p]\nt.x = 1\n", "p.t.y", "2", "[p]\nt.y = 2\nt.x = 1\n"],
    ["a key in a table of one line", "t = { x = 1, y = 2 }\n", "t.x", "3", "t = { x = 3, y = 2 }\n"],
    ["a quoted key", '[t]\n"x" = 1\n', "t.x", "3", '[t]\n"x" = 3\n'],
    ["ends of Windows", "[t]\r\nx = 1\r\n", "t.y", "2", "[t]\r\ny = 2\r\nx = 1\r\n"],
    ["a mark at the begin", "\ufeffx = 1\n", "a", "1", "\ufeffa = 1\nx = 1\n"],
    ["a key to remove", "# a\na = 1 # why\nb = 2\n", "a", undefined, "# a\nb = 2\n"],
    ["the last key of a table", "a = 1\n\n[t]\nx = 1", "t.x", undefined, "a = 1\n"],
    [
      "the last key of a table between two",
      "[s]\ny = 1\n\n[t.u]\r\nx = 1\r\n\n[v]\nz = 1\n",
      "t.u.x",
      undefined,
      "[s]\ny = 1\n\n[v]\nz = 1\n",
    ],
    ["the last key of a table right below another", "x = 1\n[t]\ny = 1\n[v]\nz = 1\n", "t.y", undefined, "x = 1\n[v]\nz = 1\n"],
    ["the last key of a table with a comment", "[t]\nx = 1\n# mine\n", "t.x", undefined, "[t]\n# mine\n"],
    ["one key of two", "[t]\nx = 1\ny = 2\n", "t.y", undefined, "[t]\nx = 1\n"],
    ["a key that is not there to remove", "a = 1\n", "b", undefined, "a = 1\n"],
  ])("changes %s and nothing else", (_, before, path, value, after) => {
    expect(set(before, path, value)).toBe(after);
  });

  it("gives up on a table of one line that lacks the key, or holds one to remove", () => {
    expect(set("t = { x = 1 }\n", "t.y", "2")).toBeUndefined();
    expect(set("t = { x = 1 }\n", "t.x", undefined)).toBeUndefined();
  });

  it("leaves every other key as it was, wherever the key is put", () => {
    const texts = ["", "x.y = 1\n", "[x]\ny = 1\n[x.z]\nw = 'a'\n", "# c\n[[l]]\ny = 1\n[[l]]\ny = 2\n", 'k = """\n[x]\n"""\n[x]\n'];
    for (const text of texts)
      for (const path of ["n", "x.n", "x.z.n", "m.n.o"]) {
        const parts = path.split(".");
        const added = parts.reduceRight<unknown>((inner, part) => ({ [part]: inner }), 7) as Record<string, unknown>;
        const merge = (a: unknown, b: unknown): unknown =>
          typeof a === "object" && a !== null && typeof b === "object" && b !== null
            ? Object.fromEntries(
                [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => [key, merge(Reflect.get(a, key), Reflect.get(b, key))]),
              )
            : (b ?? a);
        const before = JSON.parse(JSON.stringify(parse(text)));
        expect(JSON.parse(JSON.stringify(parse(set(text, path, "7") ?? "none = true"))), `${path} in ${text}`).toEqual(
          "l" in before ? { ...before, ...added } : merge(before, added),
        );
      }
  });
});
