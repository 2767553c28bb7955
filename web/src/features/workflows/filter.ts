import type { WorkflowEntry } from "@/api/schema";

export type SortKey = "name" | "changed_at" | "versions" | "size";
export type Sort = { by: SortKey; descending: boolean };

/** The workflows whose name has every word of the search, in the order that is asked for. */
export function filterWorkflows(all: readonly WorkflowEntry[], search: string, sort: Sort): WorkflowEntry[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter((one) => words.every((word) => one.name.toLowerCase().includes(word)));
  const sign = sort.descending ? -1 : 1;
  return found.sort((one, other) => {
    const [a, b] = [one[sort.by] ?? 0, other[sort.by] ?? 0];
    return a === b ? one.name.localeCompare(other.name) : (a < b ? -1 : 1) * sign;
  });
}
