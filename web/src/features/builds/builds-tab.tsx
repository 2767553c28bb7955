import { useQuery } from "@tanstack/react-query";
import { Hammer } from "lucide-react";
import { Link } from "wouter";
import { operationsQuery } from "@/api/queries";
import type { OperationEntry, WorkflowEntry } from "@/api/schema";
import { OperationState } from "@/components/state-badge";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { cn } from "@/lib/cn";
import { formatAgo, formatDuration, formatTime } from "@/lib/format";
import { titleOf } from "@/lib/operations";
import { ImageLayers } from "./image-layers";
import { OperationView } from "./operation-view";

/** What was done with a workflow: each operation with its steps and its log; and the image that came of it. */
export default function BuildsTab({ workflow, id }: { workflow: WorkflowEntry; id: string | undefined }) {
  const { data: operations, error, refetch, isPending } = useQuery(operationsQuery(workflow.name));
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  const chosen = id ?? operations[0]?.id;
  if (chosen === undefined) {
    return (
      <div className="mx-auto w-full max-w-6xl space-y-6 p-4 md:p-6">
        <EmptyState icon={Hammer} title="Nothing was built from here yet">
          Builds appear here with their steps and their log. They go on when this page is closed.
        </EmptyState>
        {workflow.version !== null && <ImageLayers name={workflow.name} version={workflow.version} />}
      </div>
    );
  }
  return (
    <div className="mx-auto grid w-full max-w-6xl grid-cols-[minmax(0,1fr)] gap-4 p-4 md:grid-cols-[13rem_minmax(0,1fr)] md:p-6">
      <nav aria-label="Operations" className="md:sticky md:top-26 md:max-h-[calc(100dvh-8rem)] md:self-start md:overflow-y-auto">
        <ul className="flex gap-1 overflow-x-auto pb-1 md:flex-col">
          {operations.map((one) => (
            <li key={one.id} className="shrink-0">
              <OperationLink operation={one} active={one.id === chosen} />
            </li>
          ))}
        </ul>
      </nav>
      <div className="min-w-0 space-y-6">
        <OperationView key={chosen} id={chosen} workflow={workflow.name}>
          {workflow.version !== null && <ImageLayers name={workflow.name} version={workflow.version} />}
        </OperationView>
      </div>
    </div>
  );
}

function seconds(operation: OperationEntry): number | null {
  if (operation.started_at === null || operation.finished_at === null) return null;
  return (Date.parse(operation.finished_at) - Date.parse(operation.started_at)) / 1000;
}

function OperationLink({ operation, active }: { operation: OperationEntry; active: boolean }) {
  const took = seconds(operation);
  return (
    <Link
      href={`/workflows/${operation.workflow}/builds/${operation.id}`}
      aria-current={active ? "page" : undefined}
      className={cn(
        "block w-44 rounded-md border px-2.5 py-1.5 outline-none hover:bg-accent/60 focus-visible:ring-2 focus-visible:ring-ring md:w-auto",
        active ? "border-border bg-card" : "border-transparent",
      )}
    >
      <span className="flex items-center justify-between gap-2">
        <span className="truncate font-medium">{titleOf(operation.kind)}</span>
        <OperationState state={operation.state} />
      </span>
      <span className="mt-0.5 block truncate text-[0.8rem] text-muted-foreground" title={formatTime(operation.created_at)}>
        {formatAgo(operation.created_at)}
        {took !== null && `, took ${formatDuration(took)}`}
      </span>
    </Link>
  );
}
