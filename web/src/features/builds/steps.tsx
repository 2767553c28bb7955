import { Check, LoaderCircle, X } from "lucide-react";
import type { Step } from "@/api/events";
import { cn } from "@/lib/cn";
import { formatDuration, formatSize } from "@/lib/format";

/** The steps of an operation, with how far each is. */
export function Steps({ steps, running }: { steps: Step[]; running: boolean }) {
  if (steps.length === 0) return running ? <p className="text-muted-foreground">It starts…</p> : null;
  return (
    <ol className="overflow-hidden rounded-lg border bg-card">
      {steps.map((step) => (
        <StepRow key={step.id} step={step} running={running} />
      ))}
    </ol>
  );
}

function amount(step: Step): string {
  const show = step.unit === "bytes" ? formatSize : String;
  if (step.total !== null && step.total > 0) return `${show(Math.min(step.count, step.total))} of ${show(step.total)}`;
  return step.count > 0 ? show(step.count) : "";
}

function StepRow({ step, running }: { step: Step; running: boolean }) {
  const share = step.total !== null && step.total > 0 ? Math.min(1, step.count / step.total) : null;
  const active = step.state === "running" && running;
  return (
    <li className="relative flex min-w-0 items-center gap-2 border-b px-3 py-1.5 text-[0.87rem] last:border-0">
      {active ? (
        <LoaderCircle className="size-4 shrink-0 animate-spin text-info" aria-label="running" />
      ) : step.state === "done" ? (
        <Check className="size-4 shrink-0 text-success" aria-label="done" />
      ) : (
        <X className="size-4 shrink-0 text-destructive" aria-label={step.state === "failed" ? "failed" : "not finished"} />
      )}
      <span className="min-w-0 flex-1 truncate sm:flex-none">{step.title}</span>
      <span className="hidden min-w-0 flex-1 truncate text-muted-foreground sm:block" title={step.note}>
        {step.note}
      </span>
      <span className="shrink-0 text-[0.82rem] text-muted-foreground tabular-nums">{amount(step)}</span>
      {step.ended !== null && <span className="w-16 shrink-0 text-right text-[0.82rem] text-muted-foreground tabular-nums">{formatDuration((step.ended - step.began) / 1000)}</span>}
      {active && (
        <span
          role="progressbar"
          aria-label={step.title}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={share === null ? undefined : Math.round(share * 100)}
          className="absolute inset-x-0 bottom-0 h-0.5 bg-muted"
        >
          <span className={cn("block h-full bg-info transition-[width]", share === null && "w-1/4 animate-pulse")} style={share === null ? undefined : { width: `${share * 100}%` }} />
        </span>
      )}
    </li>
  );
}
