import { type LucideIcon, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { problemOf } from "@/api/client";
import { Button } from "@/components/ui/button";
import { ProblemView } from "@/components/problem-view";
import { cn } from "@/lib/cn";

/** Grey bars in the place of what is being loaded, so that nothing moves when it comes. */
export function Loading({ rows = 6, className }: { rows?: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={cn("space-y-2", className)}>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} className="h-8 animate-pulse rounded-md bg-muted" style={{ opacity: 1 - at / (rows + 1) }} />
      ))}
    </div>
  );
}

/** What could not be loaded, and why; with a way to try again. */
export function LoadError({ error, retry, action = "Try again" }: { error: unknown; retry: () => unknown; action?: string }) {
  return (
    <div role="alert" className="rounded-lg border border-destructive/30 bg-card p-4">
      <div className="flex items-start gap-2.5">
        <TriangleAlert className="mt-0.5 size-4 shrink-0 text-destructive" />
        <div className="min-w-0 flex-1 space-y-3">
          <ProblemView problem={problemOf(error)} />
          <Button variant="outline" size="sm" onClick={() => void retry()}>
            {action}
          </Button>
        </div>
      </div>
    </div>
  );
}

/** A place with nothing in it yet, and what to do about it. */
export function EmptyState({ icon: Icon, title, children, action }: { icon: LucideIcon; title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center rounded-lg border border-dashed px-6 py-12 text-center">
      <Icon className="mb-3 size-7 text-muted-foreground" strokeWidth={1.5} />
      <h2 className="font-medium">{title}</h2>
      <div className="mt-1 max-w-md text-muted-foreground">{children}</div>
      {action !== undefined && <div className="mt-4 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}
