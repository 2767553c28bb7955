import type { Job, Parameter } from "./client";

/** What an input is called: the title that somebody gave it, else its name. Titles that nobody gave are "Node: input". */
export function labelOf(parameter: Parameter): string {
  return parameter.title !== "" && !/: [^\s:]+$/.test(parameter.title) ? parameter.title : sentence(parameter.name);
}

/** A name as people write it: "negative_prompt" is "Negative prompt". */
export function sentence(name: string): string {
  const text = name.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const MAX_SHOWN = 60;

/** The inputs of a job in which it differs from the workflow, in a line. */
export function describeInputs(parameters: readonly Parameter[], job: Job): string {
  const parts: string[] = [];
  for (const parameter of parameters) {
    const value = job.inputs[parameter.name];
    if (value === undefined || value === null || value === parameter.default) continue;
    if (parameter.type === "text") parts.unshift(String(value).slice(0, MAX_SHOWN));
    else if (["image", "video", "audio", "3d", "file"].includes(parameter.type)) parts.push(`own ${parameter.type}`);
    else if (typeof value !== "object") parts.push(`${sentence(parameter.name).toLowerCase()} ${String(value).slice(0, MAX_SHOWN)}`);
  }
  return parts.join(" · ") || "the workflow's own values";
}
