import { FileQuestion, RotateCw } from "lucide-react";
import { EmptyState, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { formatDuration, formatTime } from "@/lib/format";
import { type InterfaceView, type Job, Refused } from "./client";
import { ErrorNote } from "./error-note";
import { TERMINAL } from "./events";
import { JobStateBadge } from "./job-state";
import { labelOf } from "./labels";
import { groupOutputs, Outputs } from "./outputs";
import { ProgressView } from "./progress-view";
import { useJob } from "./queries";

type Props = { id: string; about: InterfaceView; onReuse: (job: Job) => void };

/** One job: how far it is, what it made, and of which inputs. */
export function JobView({ id, about, onReuse }: Props) {
  const { data: job, error, refetch, live } = useJob(id);
  if (job === undefined && error instanceof Refused && error.status === 404) {
    return (
      <EmptyState icon={FileQuestion} title="This job is not here any more">
        Jobs and their files are kept for a time. What was made since is below, and Run makes it anew.
      </EmptyState>
    );
  }
  if (job === undefined) return error === null ? <Loading rows={5} /> : <ErrorNote error={error} retry={refetch} />;
  const over = TERMINAL.has(job.status);
  const groups = groupOutputs(about, job, live.outputs);
  return (
    <div className="space-y-4">
      <div className="flex min-h-8 flex-wrap items-center gap-x-2.5 gap-y-1">
        <span role="status">
          <JobStateBadge state={job.status} />
        </span>
        <span className="text-[0.84rem] text-muted-foreground tabular-nums">
          {job.status === "queued" && job.queue_position != null && job.queue_position > 0 ? `${job.queue_position} before it` : ""}
          {over && job.timings.running !== null ? formatDuration(job.timings.running) : ""}
        </span>
        <span className="flex-1" />
        {over && (
          <Button variant="outline" size="sm" onClick={() => onReuse(job)}>
            <RotateCw /> Use these values
          </Button>
        )}
      </div>
      {!over && <ProgressView live={live} nodes={about.nodes} />}
      {job.error !== null && <JobFailure job={job} about={about} />}
      {job.warnings.map((warning, at) => (
        <p key={at} className="text-[0.84rem] break-words text-warning">
          {warning}
        </p>
      ))}
      <Outputs groups={groups} />
      {job.status === "succeeded" && groups.length === 0 && <p className="text-muted-foreground">It returned nothing.</p>}
      <Inputs job={job} about={about} />
    </div>
  );
}

function JobFailure({ job, about }: { job: Job; about: InterfaceView }) {
  const { error } = job;
  if (error === null) return null;
  const place = error.node == null ? "" : ` (${about.nodes[error.node] ?? error.class_type ?? `node ${error.node}`})`;
  return (
    <div className="space-y-2">
      <ErrorNote error={new Error(`${error.message}${place}`)} />
      {error.traceback != null && (
        <details>
          <summary className="text-[0.84rem] text-muted-foreground">Where in the code</summary>
          <pre tabIndex={0} className="mt-1 max-h-80 overflow-auto rounded-md border bg-card p-2 text-[0.78rem]">
            {error.traceback}
          </pre>
        </details>
      )}
    </div>
  );
}

function Inputs({ job, about }: { job: Job; about: InterfaceView }) {
  const given = about.interface.parameters.filter((one) => job.inputs[one.name] != null);
  if (given.length === 0) return null;
  return (
    <details className="rounded-lg border bg-card">
      <summary className="px-3 py-1.5 text-[0.84rem] text-muted-foreground">Inputs · {formatTime(job.created_at)}</summary>
      <dl className="grid grid-cols-[minmax(5rem,auto)_minmax(0,1fr)] gap-x-4 gap-y-1 border-t px-3 py-2 text-[0.84rem]">
        {given.map((one) => {
          const value = job.inputs[one.name];
          return (
            <div key={one.name} className="contents">
              <dt className="text-muted-foreground">{labelOf(one)}</dt>
              <dd className="max-h-40 overflow-auto break-words whitespace-pre-wrap">{typeof value === "string" ? value : JSON.stringify(value)}</dd>
            </div>
          );
        })}
      </dl>
    </details>
  );
}
