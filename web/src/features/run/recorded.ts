import type { RunEntry } from "@/api/schema";
import type { Value, Values } from "./values";

/** What a run was given, to give it again; files by their paths. */
export function inputsOf({ inputs, files }: Pick<RunEntry, "inputs" | "files">): Values {
  const given = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== null);
  return { ...(inputs as Record<string, Value>), ...Object.fromEntries(given) };
}

/** The inputs that were read from standard input, which is not kept. */
export function lostOf({ files }: Pick<RunEntry, "files">): string[] {
  return Object.keys(files).filter((name) => files[name] === null);
}
