import { Check, CircleHelp, CircleSlash, Info, type LucideIcon, TriangleAlert, X } from "lucide-react";
import type { DoctorResult } from "@/api/schema";
import { FixLine } from "@/components/fix-line";
import { cn } from "@/lib/cn";
import { describeFix } from "@/lib/fixes";
import { count } from "@/lib/format";
import { DoFix } from "./do-fix";
import { type Finding, type FindingState, sortFindings } from "./findings";

const LOOKS: Record<FindingState, [LucideIcon, string]> = {
  problem: [X, "text-destructive"],
  warning: [TriangleAlert, "text-warning"],
  unknown: [CircleHelp, "text-warning"],
  note: [Info, "text-info"],
  ok: [Check, "text-success"],
  skipped: [CircleSlash, "text-muted-foreground"],
};

/** What was found, with how to mend it; what is in order is folded. */
export function Findings({ result }: { result: DoctorResult }) {
  const { open, fine } = sortFindings(result.findings as unknown as Finding[]);
  return (
    <div className="space-y-2">
      <p role="status" className={cn("font-medium", result.ok ? "text-success" : "text-destructive")}>
        {result.ok ? (open.length === 0 ? "Everything is in order." : "Nothing keeps pycomfy from working.") : "Something keeps pycomfy from working."}
      </p>
      {open.length > 0 && <FindingList findings={open} label="To look at" />}
      <details>
        <summary className="rounded-sm text-[0.86rem] text-muted-foreground outline-none focus-visible:ring-2 focus-visible:ring-ring">{count(fine.length, "thing")} in order, or left out</summary>
        <div className="mt-2">
          <FindingList findings={fine} label="In order" />
        </div>
      </details>
    </div>
  );
}

function FindingList({ findings, label }: { findings: Finding[]; label: string }) {
  return (
    <ul aria-label={label} className="overflow-hidden rounded-lg border bg-card">
      {findings.map((one) => {
        const [Icon, color] = LOOKS[one.state];
        return (
          <li key={one.id} className="flex min-w-0 gap-2.5 border-b px-3 py-1.5 text-[0.88rem] last:border-0">
            <Icon className={cn("mt-0.5 size-4 shrink-0", color)} aria-label={one.state} />
            <div className="min-w-0 flex-1">
              <p className="flex flex-wrap gap-x-3 [overflow-wrap:anywhere]">
                <span className="w-full shrink-0 font-medium sm:w-36">{one.subject}</span>
                <span className="min-w-0 flex-1 basis-60">{one.what}</span>
              </p>
              {one.details !== undefined && one.details !== "" && (
                <details>
                  <summary className="text-[0.8rem] text-muted-foreground">more</summary>
                  <pre tabIndex={0} className="max-h-48 overflow-auto text-[0.78rem] whitespace-pre-wrap text-muted-foreground">
                    {one.details}
                  </pre>
                </details>
              )}
              {(one.fixes ?? []).map((fix) => (
                <div key={describeFix(fix)} className="flex min-w-0 flex-wrap items-center gap-x-2">
                  <FixLine fix={fix} />
                  <DoFix fix={fix} />
                </div>
              ))}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
