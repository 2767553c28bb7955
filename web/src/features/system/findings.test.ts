import { expect, it } from "vitest";
import { type Finding, type FindingState, sortFindings } from "./findings";

const finding = (state: FindingState, id: string): Finding => ({ group: "disk", id, subject: id, state, what: "" });

it("what needs a person comes first, the worst before the rest, else in the order of the server", () => {
  const all = [finding("ok", "a"), finding("note", "b"), finding("warning", "c"), finding("skipped", "d"), finding("problem", "e"), finding("warning", "f")];
  const { open, fine } = sortFindings(all);
  expect([open.map((one) => one.id), fine.map((one) => one.id)]).toEqual([["e", "c", "f", "b"], ["a", "d"]]);
});
