import type { OperationRequest } from "@/api/queries";

type Argument = string | number | boolean | { placeholder: string } | Argument[];

/** A way to fix an error, as the server has it: advice in words, or an action with its arguments. */
export type Fix = { advice?: string; action?: string; arguments?: Record<string, Argument>; note?: string; use_case?: string };

export type ProblemLike = { message: string; where?: string; fixes?: Fix[]; problems?: ProblemLike[] };

function describeArgument(value: Argument): string {
  if (Array.isArray(value)) return value.map(describeArgument).join(", ");
  return typeof value === "object" ? value.placeholder : String(value);
}

/** The fix in words: "lock with prefer = impact-pack (takes it from there)". */
export function describeFix(fix: Fix): string {
  if (fix.advice !== undefined) return fix.advice;
  const pairs = Object.entries(fix.arguments ?? {}).map(([name, value]) => `${name.replaceAll("_", " ")} = ${describeArgument(value)}`);
  const words = fix.action === "retry" ? (fix.use_case === undefined ? "try again" : `${fix.use_case} again`) : (fix.action ?? "");
  const all = pairs.length > 0 ? `${words} with ${pairs.join(", ")}` : words;
  return fix.note ? `${all} (${fix.note})` : all;
}

/** Commands that need no more than their options. */
const COMPLETE = new Set(["archive fill", "archive status", "archive verify", "catalog update", "doctor", "gc", "models status", "models verify", "reindex"]);

/** The command line of a fix that needs nothing from a person, but switches and numbers; null for any other. */
export function commandOf(fix: Fix): string | null {
  if (fix.action === undefined || !COMPLETE.has(fix.action)) return null;
  const options = Object.entries(fix.arguments ?? {}).map(([name, value]) => {
    const option = `--${name.replaceAll("_", "-")}`;
    return value === true ? option : typeof value === "number" ? `${option} ${value}` : null;
  });
  return options.includes(null) ? null : ["pycomfy", fix.action, ...options].join(" ");
}

function texts(value: Argument | undefined): string[] | null {
  if (value === undefined) return [];
  const values = Array.isArray(value) ? value : [value];
  return values.every((one) => typeof one === "string") ? (values as string[]) : null;
}

const LOCK_ARGUMENTS = new Set(["prefer", "pack", "update", "workflow"]);

/** The operation that a fix asks for; null for one that only a person can do. */
export function requestOf(fix: Fix, workflow: string): OperationRequest | null {
  const given = fix.arguments ?? {};
  const useCase = fix.action === "retry" ? (fix.use_case ?? "") : (fix.action ?? "");
  const prefer = texts(given["prefer"]);
  const packs = texts(given["pack"]);
  const update = texts(given["update"]);
  if (useCase === "lock" && Object.keys(given).every((name) => LOCK_ARGUMENTS.has(name))) {
    if (prefer === null || packs === null || update === null) return null;
    return { kind: "lock", workflow, prefer, packs, update };
  }
  if (useCase === "models pull") return { kind: "models-pull", workflow };
  if (useCase === "build" && Object.keys(given).length === 0) return { kind: "build", workflow, message: "", locked: false };
  return null;
}
