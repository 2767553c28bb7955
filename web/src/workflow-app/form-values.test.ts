// @vitest-environment happy-dom
import { expect, it } from "vitest";
import { type Job, type Parameter, problemsOfInputs, Refused } from "./client";
import { firstValues, readForm, valuesOfJob } from "./form-values";
import { describeInputs, labelOf } from "./labels";

const parameter = (name: string, more: Partial<Parameter>): Parameter => ({
  name,
  type: "text",
  targets: [{ node: "1", input: name }],
  default: null,
  minimum: null,
  maximum: null,
  step: null,
  choices: [],
  multiline: false,
  title: "",
  description: "",
  ...more,
});

const all = [
  parameter("prompt", { default: "a dog" }),
  parameter("seed", { type: "integer", default: 7, maximum: 2 ** 64 }),
  parameter("photo", { type: "image", default: "example.png" }),
  parameter("extra", { type: "json", default: null }),
];

const job = (inputs: Record<string, unknown>) => ({ inputs }) as unknown as Job;

it("a seed is drawn for each run until one is given, and JSON is sent as what it says", () => {
  expect(firstValues(all)).toEqual({ seed: -1 });
  expect(readForm(all, { ...firstValues(all), extra: '{"a": [1]}' })).toEqual({ inputs: { seed: -1, extra: { a: [1] } }, problems: {} });
  expect(Object.keys(readForm(all, { extra: "{a" }).problems)).toEqual(["extra"]);
});

it("the values of a job give the same inputs again", () => {
  const values = valuesOfJob(all, job({ prompt: "a cat", seed: 12, photo: "0b3c", extra: [1, "x"] }));
  expect(readForm(all, values).inputs).toEqual({ prompt: "a cat", seed: 12, photo: "0b3c", extra: [1, "x"] });
});

it("of a job with the workflow's own file, and with a seed of too many digits, nothing is changed on the way", () => {
  expect(valuesOfJob(all, job({ prompt: "a dog", seed: 2 ** 63, photo: "example.png" }))).toEqual({ prompt: "a dog" });
});

it("what is refused is said at its input", () => {
  const errors = [
    { pointer: "/inputs/seed", detail: "seed: too large", code: "x", parameter: null, node: null, input: null },
    { pointer: null, detail: "no", code: "x", parameter: null, node: null, input: null },
  ];
  expect(problemsOfInputs(new Refused(422, { type: "", title: "", status: 422, detail: "", code: "", errors }))).toEqual({ seed: "too large" });
});

it("an input is called what somebody called it, else by its name", () => {
  expect(labelOf(parameter("negative_prompt", { title: "CLIP Text Encode (Prompt): text" }))).toBe("Negative prompt");
  expect(labelOf(parameter("x", { title: "How bold: from 0 to 1" }))).toBe("How bold: from 0 to 1");
});

it("a job is described by what is not the workflow's own", () => {
  expect(describeInputs(all, job({ prompt: "a cat", seed: 12, photo: "0b3c" }))).toBe("a cat · seed 12 · own image");
  expect(describeInputs(all, job({ prompt: "a dog", seed: 7 }))).toBe("the workflow's own values");
});
