import { useInfiniteQuery } from "@tanstack/react-query";
import { FileText, Image, RotateCw, Type } from "lucide-react";
import { Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { formatAgo, formatTime } from "@/lib/format";
import type { InterfaceView, Job } from "./client";
import { useContent } from "./content";
import { ErrorNote } from "./error-note";
import { JobStateBadge } from "./job-state";
import { describeInputs } from "./labels";
import { historyQuery } from "./queries";

type Props = { about: InterfaceView; shown: string | null; onShow: (id: string) => void; onReuse: (job: Job) => void };

/** The jobs of this key, or of this browser, newest first. */
export function History({ about, shown, onShow, onReuse }: Props) {
  const { data, error, refetch, isPending, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(historyQuery);
  const jobs = data?.pages.flatMap((page) => page.jobs) ?? [];
  if (jobs.length === 0 && error === null && !isPending) return null;
  return (
    <section aria-labelledby="history">
      <h2 id="history" className="mb-2 font-medium">
        History
      </h2>
      {isPending && <Loading rows={3} />}
      {error !== null && <ErrorNote error={error} retry={refetch} />}
      {jobs.length > 0 && (
      <ol className="divide-y overflow-hidden rounded-lg border bg-card">
        {jobs.map((job) => (
          <li key={job.id} className={cn("flex items-center gap-1 pr-2", job.id === shown && "shadow-[inset_3px_0_0_var(--ring)]")}>
            <a
              href={`#job=${job.id}`}
              aria-current={job.id === shown ? "true" : undefined}
              onClick={() => onShow(job.id)}
              className="flex min-w-0 flex-1 items-center gap-3 rounded-sm p-2 outline-none focus-visible:ring-2 focus-visible:ring-ring"
            >
              <Thumbnail job={job} />
              <span className="min-w-0 flex-1">
                <span className="line-clamp-2 break-words sm:line-clamp-1">{describeInputs(about.interface.parameters, job)}</span>
                <span className="mt-0.5 flex items-center gap-2 text-[0.8rem] text-muted-foreground" title={formatTime(job.created_at)}>
                  <JobStateBadge state={job.status} />
                  {formatAgo(job.created_at)}
                </span>
              </span>
            </a>
            <Button variant="ghost" size="icon" aria-label="Use these values" title="Use these values" onClick={() => onReuse(job)}>
              <RotateCw />
            </Button>
          </li>
        ))}
      </ol>
      )}
      {hasNextPage && (
        <Button variant="ghost" size="sm" className="mt-2" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {isFetchingNextPage ? "Loading" : "Older ones"}
        </Button>
      )}
    </section>
  );
}

function Thumbnail({ job }: { job: Job }) {
  const files = [...Object.values(job.outputs).flat(), ...job.other_outputs];
  const picture = files.find((one) => one.type === "image");
  const { src } = useContent(picture?.id ?? null);
  const Icon = files.length === 0 ? Image : files.every((one) => one.type === "text") ? Type : FileText;
  return (
    <span className="grid size-12 shrink-0 place-items-center overflow-hidden rounded-md bg-canvas">
      {src === null ? <Icon className="size-5 text-muted-foreground" strokeWidth={1.5} /> : <img src={src} alt="" loading="lazy" className="size-full object-cover" />}
    </span>
  );
}
