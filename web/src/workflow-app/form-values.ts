import { changedValues, isFile, isSeed, type Value, type Values } from "@/features/run/values";
import type { Job, Parameter } from "./client";

/** Seeds are drawn for each run, as ComfyUI's editor does it, until the user gives one. */
export function firstValues(parameters: readonly Parameter[]): Values {
  return Object.fromEntries(parameters.filter(isSeed).map((one) => [one.name, -1]));
}

/** What is sent, and what is wrong with it, by the name of the input. */
export function readForm(parameters: readonly Parameter[], values: Values): { inputs: Record<string, unknown>; problems: Record<string, string> } {
  const inputs: Record<string, unknown> = changedValues(parameters, values);
  const problems: Record<string, string> = {};
  for (const { name, type } of parameters) {
    const value = inputs[name];
    if (type !== "json" || typeof value !== "string") continue;
    try {
      inputs[name] = JSON.parse(value) as unknown;
    } catch {
      problems[name] = "this is not JSON; a text is in quotation marks";
    }
  }
  return { inputs, problems };
}

/** The values of a job, to be used again. A number with more digits than the browser keeps stays the workflow's. */
export function valuesOfJob(parameters: readonly Parameter[], job: Job): Values {
  const values: Values = {};
  for (const parameter of parameters) {
    const value = job.inputs[parameter.name];
    if (value === undefined || value === null) continue;
    const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) continue;
    if (parameter.type === "json") values[parameter.name] = JSON.stringify(value);
    else if (isFile(parameter) && value === parameter.default) continue;
    else if (plain) values[parameter.name] = value as Value;
    else if (isFile(parameter) && "url" in (value as object)) values[parameter.name] = String((value as { url: unknown }).url);
  }
  return values;
}
