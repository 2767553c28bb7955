import type { Parameter } from "@/api/schema";

export type Value = string | number | boolean;
export type Values = Record<string, Value>;

/** A slider with more steps than pixels cannot be set to each. */
const MAX_SLIDER_STEPS = 2000;

const FILES = new Set(["image", "video", "audio", "3d", "file"]);

export function isFile(parameter: Parameter): boolean {
  return FILES.has(parameter.type);
}

export function isSeed(parameter: Parameter): boolean {
  return parameter.type === "integer" && parameter.targets.some((target) => target.input === "seed" || target.input === "noise_seed");
}

/** How many values a slider would have; null for an input that gets none: one without bounds, or with far ones. */
export function sliderSteps(parameter: Parameter): number | null {
  const { minimum, maximum, step } = parameter;
  if (isSeed(parameter) || minimum == null || maximum == null || maximum <= minimum) return null;
  const steps = (maximum - minimum) / (step || (parameter.type === "integer" ? 1 : (maximum - minimum) / 100));
  return steps <= MAX_SLIDER_STEPS ? steps : null;
}

/** The values that differ from the workflow's own. The others are not sent: a large seed would lose digits on the way. */
export function changedValues(parameters: readonly Parameter[], values: Values): Values {
  const changed: Values = {};
  for (const parameter of parameters) {
    const value = values[parameter.name];
    if (value !== undefined && value !== "" && value !== parameter.default) changed[parameter.name] = value;
    if (value === "" && parameter.type === "text" && parameter.default !== "") changed[parameter.name] = "";
  }
  return changed;
}

/** A seed that JSON carries without losing digits. */
export function drawSeed(maximum: number | null | undefined): number {
  const limit = Math.min(maximum ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  return Math.floor(Math.random() * limit);
}
