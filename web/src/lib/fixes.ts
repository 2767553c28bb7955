import type { OperationRequest } from "@/api/queries";
import { shellLine } from "./shell";

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
const COMPLETE = new Set(["archive fill", "archive status", "archive verify", "catalog update", "doctor", "gc", "log", "models status", "models verify", "reindex"]);

/** The argument of a command that is no option. */
const POSITIONAL: Record<string, string> = { build: "workflow", lock: "workflow", rm: "name", run: "name", show: "reference", restore: "reference", verify: "name" };

/** The command line of a fix that needs nothing from a person; null for any other. */
export function commandOf(fix: Fix): string | null {
  const { action = "", arguments: given = {} } = fix;
  const positional = POSITIONAL[action];
  const subject = positional === undefined ? undefined : given[positional];
  const isKnown = positional === undefined ? COMPLETE.has(action) : typeof subject === "string" && !subject.startsWith("-");
  if (!isKnown) return null;
  const options = Object.entries(given)
    .filter(([name]) => name !== positional)
    .map(([name, value]) => {
      const option = `--${name.replaceAll("_", "-")}`;
      return value === true ? option : typeof value === "number" ? `${option} ${value}` : null;
    });
  if (options.includes(null)) return null;
  return ["pycomfy", action, ...(typeof subject === "string" ? [shellLine([subject])] : []), ...options].join(" ");
}

const FIX_TEXT = /^([a-z][a-z -]*?)((?: [a-z_]+=\S+)*)(?: \((.*)\))?$/;

/** The fixes of a text such as `gc keep=1 (the layers of older versions); or gc`, as the server writes them. What is no
 * command is advice. */
export function readFixes(text: string): Fix[] {
  return text.split("; or ").map((one) => {
    const [, action, pairs = "", note = ""] = FIX_TEXT.exec(one) ?? [];
    const given = Object.fromEntries(pairs.split(" ").flatMap((pair) => (pair === "" ? [] : [[pair.slice(0, pair.indexOf("=")), readValue(pair.slice(pair.indexOf("=") + 1))]])));
    const fix: Fix = { action: action ?? "", arguments: given, note };
    return commandOf(fix) === null ? { advice: one } : fix;
  });
}

function readValue(text: string): Argument {
  if (text === "True") return true;
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

function texts(value: Argument | undefined): string[] | null {
  if (value === undefined) return [];
  const values = Array.isArray(value) ? value : [value];
  return values.every((one) => typeof one === "string") ? (values as string[]) : null;
}

/** Fixes that need no workflow, with the options that their operations have. */
const MACHINE: Record<string, readonly string[]> = {
  gc: ["keep", "older_than", "loaded"],
  reindex: [],
  "catalog update": [],
  "archive fill": ["models"],
  "archive verify": ["repair"],
  "models verify": [],
};

/** The operation of a fix for the machine; null for any other. */
export function machineRequestOf({ action = "", arguments: given = {} }: Fix): OperationRequest | null {
  const options = Object.hasOwn(MACHINE, action) ? MACHINE[action] : undefined;
  const fits = options !== undefined && Object.entries(given).every(([name, value]) => options.includes(name) && (value === true || typeof value === "number"));
  return fits ? ({ kind: action.replace(" ", "-"), workflow: "", ...given } as OperationRequest) : null;
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
  const machine = machineRequestOf(fix);
  if (machine !== null || workflow === "") return machine;
  if (useCase === "models pull") return { kind: "models-pull", workflow };
  if (useCase === "build" && Object.keys(given).length === 0) return { kind: "build", workflow, message: "", locked: false };
  return null;
}
