import type { Parameter } from "@/api/schema";
import { isFile, type Value } from "./values";

/** Runs that one sweep starts. */
export const MAX_SWEEP = 20;

export type Sweep = { values: Value[]; problem: string };

/** Inputs of which a sweep can go through several values. */
export function canSweep(parameter: Parameter): boolean {
  return !isFile(parameter);
}

const RANGE = /^(-?\d+(?:\.\d+)?) to (-?\d+(?:\.\d+)?)(?: step (\d+(?:\.\d+)?))?$/;

/** The values of a text with one on each line; for numbers also `20 to 40 step 5`. */
export function readSweep(parameter: Parameter, text: string): Sweep {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const values: Value[] = [];
  for (const line of lines) {
    const read = readLine(parameter, line);
    if (typeof read === "string") return { values: [], problem: read };
    values.push(...read);
    if (values.length > MAX_SWEEP) return { values: [], problem: `at most ${MAX_SWEEP} values` };
  }
  return { values: [...new Set(values)], problem: "" };
}

/** The values of a line; a text says why it has none. */
function readLine(parameter: Parameter, line: string): Value[] | string {
  const { type, choices, minimum, maximum } = parameter;
  if (type === "boolean") return line === "true" || line === "false" ? [line === "true"] : `"${line}" is neither true nor false`;
  if (type === "choice") {
    const choice = choices.find((one) => String(one) === line);
    return choice === undefined ? `"${line}" is not one of its choices` : [choice];
  }
  if (type !== "integer" && type !== "number") return [line];
  const range = RANGE.exec(line);
  const numbers = range === null ? [line === "" ? Number.NaN : Number(line)] : listRange(Number(range[1]), Number(range[2]), Number(range[3] ?? 1));
  const wrong = numbers.find((one) => !Number.isFinite(one) || (type === "integer" && !Number.isSafeInteger(one)));
  if (numbers.length === 0 || wrong !== undefined) return `"${line}" is not a ${type === "integer" ? "whole number" : "number"}, or a range such as 20 to 40 step 5`;
  const out = numbers.find((one) => (minimum != null && one < minimum) || (maximum != null && one > maximum));
  return out === undefined ? numbers : `${out} is not between ${minimum} and ${maximum}`;
}

function listRange(from: number, to: number, step: number): number[] {
  if (step <= 0 || to < from) return [];
  const count = Math.min(Math.floor((to - from) / step + 1e-9) + 1, MAX_SWEEP + 1);
  // 0.1 + 0.2 is no value that a person would write.
  return Array.from({ length: count }, (_, at) => Number((from + at * step).toPrecision(12)));
}
