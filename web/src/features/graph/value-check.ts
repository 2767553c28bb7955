import type { NodeValue } from "@/api/schema";

/** Why a value cannot be this text, as the server would say it; "" if it can. */
export function findProblem(value: NodeValue, text: string): string {
  if (text === value.text || value.kind === null) return "";
  if (value.kind === "integer" && !/^-?\d{1,20}$/.test(text)) return "a whole number, in digits";
  if (value.kind === "number" && !/^-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?$/.test(text)) return "a number, such as 0.5";
  if (value.kind === "choice" && !(value.choices ?? []).includes(text)) return "one of the choices";
  if (value.kind === "integer" || value.kind === "number") {
    // Bounds near those of a double are no bounds: the server compares every digit.
    const number = Number(text);
    const { minimum, maximum } = value;
    if (minimum != null && number < minimum) return `at least ${minimum}`;
    if (maximum != null && maximum < 1e15 && number > maximum) return `at most ${maximum}`;
  }
  return "";
}
