import type { Fix } from "@/lib/fixes";

export type FindingState = "ok" | "note" | "warning" | "problem" | "unknown" | "skipped";

/** One thing that was looked at, as `Finding` of the server. */
export type Finding = { group: string; id: string; subject: string; state: FindingState; what: string; details?: string; fixes?: Fix[] };

const ORDER: FindingState[] = ["problem", "warning", "unknown", "note"];

/** What needs a person first, the worst before the rest; and what is in order, or was left out. */
export function sortFindings(findings: readonly Finding[]): { open: Finding[]; fine: Finding[] } {
  const open = findings.filter((one) => ORDER.includes(one.state));
  return {
    open: open.sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state)),
    fine: findings.filter((one) => !ORDER.includes(one.state)),
  };
}
