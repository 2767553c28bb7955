import { Wrench } from "lucide-react";
import { FixLine } from "@/components/fix-line";
import { Button } from "@/components/ui/button";
import { describeFix, type Fix, type ProblemLike } from "@/lib/fixes";

/** An error: what happened, where, and each way to fix it. `act` does a fix, where it returns something to do. */
export function ProblemView({ problem, act }: { problem: ProblemLike; act?: (fix: Fix) => (() => void) | null }) {
  const problems = problem.problems ?? [problem];
  return (
    <div className="space-y-3">
      {problems.slice(0, 50).map((one, at) => (
        <div key={at} className="min-w-0 space-y-1.5">
          <p className="font-medium break-words">{one.message}</p>
          {one.where !== "" && one.where !== undefined && (
            <pre className="max-h-48 overflow-auto text-[0.8rem] break-words whitespace-pre-wrap text-muted-foreground">{one.where}</pre>
          )}
          <ul className="space-y-1">
            {(one.fixes ?? []).map((fix, number) => {
              const run = act?.(fix) ?? null;
              return (
                <li key={number} className="flex min-w-0 items-start gap-1.5 text-[0.86rem]">
                  {run === null ? (
                    <FixLine fix={fix} />
                  ) : (
                    <>
                      <Wrench className="mt-2 size-3.5 shrink-0 text-muted-foreground" aria-label="fix" />
                      <Button variant="outline" size="sm" onClick={run} className="h-auto min-h-7 py-0.5 text-left whitespace-normal">
                        {describeFix(fix)}
                      </Button>
                    </>
                  )}
                </li>
              );
            })}
          </ul>
        </div>
      ))}
    </div>
  );
}
