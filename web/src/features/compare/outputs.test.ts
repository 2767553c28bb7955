import { expect, it } from "vitest";
import type { RunEntry } from "@/api/schema";
import { givenTo, matchRuns, sidesOf } from "./outputs";

const run = (run: number, version: number, inputs: Record<string, unknown>, path = "/out/a.png", exists = true): RunEntry => ({
  ...{ schema_version: 1, run, name: "hello", version, started_at: "", engine: "podman", gpus: null, device: "cpu", seconds: 1, inputs, files: {}, values: [], error: null },
  outputs: [{ schema_version: 1, path, size: 1, sha256: "", exists }],
});

it("runs with the same inputs are put beside each other, whatever their order", () => {
  const sides = sidesOf([run(4, 2, { seed: 9 }), run(3, 2, { seed: 7, steps: 2 }), run(2, 1, { seed: 1 }), run(1, 1, { steps: 2, seed: 7 })], [1, 2]);
  expect(matchRuns(sides)?.map((one) => one.run)).toEqual([1, 3]);
  expect(givenTo(run(1, 1, { a: 1, b: 2 }))).toBe(givenTo(run(2, 1, { b: 2, a: 1 })));
});

it("without such runs the newest are taken; without pictures there is nothing to show", () => {
  expect(matchRuns(sidesOf([run(2, 2, { seed: 9 }), run(1, 1, {})], [1, 2]))?.map((one) => one.run)).toEqual([1, 2]);
  expect(matchRuns(sidesOf([run(2, 2, {}, "/out/a.txt"), run(1, 1, {})], [1, 2]))).toBeNull();
  expect(matchRuns(sidesOf([run(2, 2, {}, "/out/a.png", false), run(1, 1, {})], [1, 2]))).toBeNull();
});
