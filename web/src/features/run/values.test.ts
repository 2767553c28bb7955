import { expect, it } from "vitest";
import type { Parameter } from "@/api/schema";
import { changedValues, drawSeed, isSeed } from "./values";

const parameter = (name: string, more: Partial<Parameter>): Parameter => ({
  name,
  type: "text",
  targets: [{ node: "1", input: name }],
  default: null,
  choices: [],
  multiline: false,
  title: "",
  description: "",
  ...more,
});

it("only what differs from the workflow's own values is sent", () => {
  const all = [parameter("text", { default: "a" }), parameter("seed", { type: "integer", default: 7 }), parameter("on", { type: "boolean", default: true })];
  expect(changedValues(all, { text: "a", seed: 8 })).toEqual({ seed: 8 });
  expect(changedValues(all, { on: false, text: "" })).toEqual({ on: false, text: "" });
});

it("a number that was emptied keeps the workflow's value", () => {
  expect(changedValues([parameter("steps", { type: "integer", default: 20 })], { steps: "" })).toEqual({});
});

it("a seed is drawn within its bounds, and is a whole number that survives JSON", () => {
  const seed = drawSeed(2 ** 64);
  expect(Number.isSafeInteger(seed)).toBe(true);
  expect(drawSeed(1)).toBe(0);
  expect(isSeed(parameter("noise_seed", { type: "integer" }))).toBe(true);
});
