import { expect, it } from "vitest";
import type { NodeValue } from "@/api/schema";
import { findProblem } from "./value-check";

const value = (kind: NodeValue["kind"], more: Partial<NodeValue> = {}): NodeValue => ({ key: "0", name: "a", text: "was", kind, choices: [], minimum: null, maximum: null, step: null, multiline: false, why: "", ...more });

it.each([
  ["integer", ["7", "-3", "18446744073709551615"], ["", "7.5", "1e3", "x", "7 "]],
  ["number", ["7", "0.5", "-1e-3"], ["", ".", "NaN", "1,5", "0x10"]],
] as const)("an %s", (kind, good, bad) => {
  for (const text of good) expect(findProblem(value(kind), text)).toBe("");
  for (const text of bad) expect(findProblem(value(kind), text)).not.toBe("");
});

it("bounds are those of the definition; those beyond a double's digits are left to the server", () => {
  const bounded = value("integer", { minimum: 1, maximum: 100 });
  expect(["0", "1", "100", "101"].map((text) => findProblem(bounded, text))).toEqual(["at least 1", "", "", "at most 100"]);
  expect(findProblem(value("integer", { minimum: 0, maximum: 2 ** 64 }), "18446744073709551615")).toBe("");
});

it("a choice is one of those that there are; what it was is never wrong", () => {
  const choice = value("choice", { choices: ["euler"] });
  expect([findProblem(choice, "euler"), findProblem(choice, "was"), findProblem(choice, "x")]).toEqual(["", "", "one of the choices"]);
});
