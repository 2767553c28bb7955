import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { shellLine } from "./shell";

it("a shell takes the line as these very words", () => {
  const words = ["printf", "%s\\0", "it's $HOME", '"`id`"', "", "a b", "*", "é\n;x"];
  expect(execFileSync("/bin/sh", ["-c", shellLine(words)], { encoding: "utf8" })).toBe(`${words.slice(2).join("\0")}\0`);
});
