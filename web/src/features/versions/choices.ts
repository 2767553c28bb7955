import type { Conflict } from "@/api/schema";
import type { Side } from "@/api/version-queries";

/** The side that counts, by the node's id; for all that is no node together by `OTHERS`. */
export type Choices = Record<string, Side>;

export const OTHERS = "";

export function keyOf(conflict: Conflict): string {
  return conflict.node ?? OTHERS;
}

/** What a merge is asked for with these choices; null while one is open. One side for everything needs no nodes. */
export function askFor(conflicts: readonly Conflict[], choices: Choices): { prefer: Side | null; nodes: Choices } | null {
  const chosen = conflicts.map((one) => [keyOf(one), choices[keyOf(one)]] as const);
  const open = chosen.filter(([, side]) => side === undefined);
  if (open.length > 0) return null;
  const sides = new Set(chosen.map(([, side]) => side));
  if (sides.size === 1) return { prefer: [...sides][0] ?? null, nodes: {} };
  const nodes = Object.fromEntries(chosen.filter(([key]) => key !== OTHERS)) as Choices;
  return { prefer: choices[OTHERS] ?? null, nodes };
}
