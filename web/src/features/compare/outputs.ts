import type { RunEntry } from "@/api/schema";
import { picturesOf } from "@/lib/pictures";

export type Sides = [RunEntry[], RunEntry[]];

/** The runs of two versions that saved pictures, newest first. */
export function sidesOf(runs: readonly RunEntry[], pair: readonly [number, number]): Sides {
  const of = (version: number) => runs.filter((run) => run.version === version && picturesOf(run).length > 0);
  return [of(pair[0]), of(pair[1])];
}

/** What a run was given, as a text that is the same for the same. */
export function givenTo({ inputs, files }: Pick<RunEntry, "inputs" | "files">): string {
  const all = { ...inputs, ...files };
  return JSON.stringify(Object.keys(all).sort().map((name) => [name, all[name]]));
}

/** The newest runs with the same inputs, else the newest ones; null where a version has none. */
export function matchRuns([old, now]: Sides): [RunEntry, RunEntry] | null {
  for (const right of now) {
    const left = old.find((one) => givenTo(one) === givenTo(right));
    if (left !== undefined) return [left, right];
  }
  const [left] = old;
  const [right] = now;
  return left === undefined || right === undefined ? null : [left, right];
}
