import { expect, it } from "vitest";
import { describeAction, statusOf } from "./audit";

it("what was done is said in words, with the names that the address has", () => {
  const said = [
    ["sign in", ""],
    ["POST /api/operations", "build hello 5f1c"],
    ["POST /api/workflows/my%20hello/versions/3/tags", ""],
    ["DELETE /api/workflows/a/tags/stable", ""],
    ["POST /api/workflows/%E0%A4%A/merge", ""],
    ["PATCH /api/other", "x"],
  ].map(([action, what]) => describeAction({ action: action as string, what: what as string }));
  expect(said).toEqual(["sign in", "build hello", "tag my hello@3", "remove the tag stable of a", "merge into %E0%A4%A", "PATCH /api/other: x"]);
});

it("an answer is said in words", () => {
  expect([204, 401, 403, 404, 429, 500].map(statusOf)).toEqual(["done", "wrong key", "refused", "not possible", "too often", "failed"]);
});
