import { expect, it } from "vitest";
import type { Parameter } from "@/api/schema";
import { MAX_SWEEP, readSweep } from "./sweep";

const parameter = (more: Partial<Parameter>): Parameter => ({ name: "x", type: "integer", targets: [{ node: "1", input: "x" }], default: null, choices: [], multiline: false, title: "", description: "", ...more });

it.each([
  ["integer", "1\n 2 \n\n2\n4 to 8 step 2", [1, 2, 4, 6, 8]],
  ["number", "0.1 to 0.3 step 0.1\n-1", [0.1, 0.2, 0.3, -1]],
  ["boolean", "true\nfalse", [true, false]],
  ["text", "a cat\n1 to 3", ["a cat", "1 to 3"]],
] as const)("a sweep of an input of type %s", (type, text, values) => {
  expect(readSweep(parameter({ type }), text)).toEqual({ values, problem: "" });
});

it("choices keep their type, and are among those that there are", () => {
  const choice = parameter({ type: "choice", choices: [1, 2, "euler"] });
  expect(readSweep(choice, "2\neuler").values).toEqual([2, "euler"]);
  expect(readSweep(choice, "3").problem).toContain("choices");
});

it.each(["1.5", "x", "9 to 1", "1 to 3 step 0", "1e400", "0x10\ny"])("%s is no whole numbers", (text) => {
  expect(readSweep(parameter({}), text).problem).not.toBe("");
});

it("bounds hold for every value, and a sweep has an end", () => {
  expect(readSweep(parameter({ minimum: 1, maximum: 5 }), "4 to 6").problem).toContain("6 is not between 1 and 5");
  expect(readSweep(parameter({}), `1 to ${MAX_SWEEP + 1}`).problem).toContain("at most");
  expect(readSweep(parameter({}), "1 to 1000000000").problem).toContain("at most");
});
