import { useQuery } from "@tanstack/react-query";
import { FileUp, Layers, Search, Sparkles } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { problemOf } from "@/api/client";
import { useAddWorkflow, workflowsQuery } from "@/api/queries";
import { useRefusal } from "@/api/session";
import { DropZone } from "@/components/drop-zone";
import { ProblemView } from "@/components/problem-view";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { count } from "@/lib/format";
import { filterWorkflows, type Sort } from "./filter";
import { WorkflowTable } from "./workflow-table";

/** All workflows: those that were built, and those that were dropped here. */
export function WorkflowsPage() {
  const [, navigate] = useLocation();
  const { data, error, refetch, isPending } = useQuery(workflowsQuery);
  const add = useAddWorkflow();
  const refused = useRefusal("build");
  const picker = useRef<HTMLInputElement>(null);
  const [search, setSearch] = useState("");
  const [sort, setSort] = useState<Sort>({ by: "changed_at", descending: true });
  const { mutateAsync } = add;

  const addFiles = useCallback(
    async (files: (File | "example")[]) => {
      for (const file of files) {
        const added = await mutateAsync(file).catch(() => null);
        if (added !== null && files.length === 1) navigate(`/workflows/${added.name}`);
      }
    },
    [mutateAsync, navigate],
  );

  const shown = useMemo(() => filterWorkflows(data ?? [], search, sort), [data, search, sort]);
  const openFiles = () => picker.current?.click();

  return (
    <DropZone onFiles={addFiles} refused={refused}>
      <div className="mx-auto w-full max-w-6xl space-y-4 p-4 md:p-6">
        <div className="flex flex-wrap items-center gap-2">
          <h1 className="text-lg font-semibold">Workflows</h1>
          {data !== undefined && data.length > 0 && <span className="text-muted-foreground tabular-nums">{data.length}</span>}
          <div className="flex-1" />
          <div className="relative order-last w-full sm:order-none sm:w-60">
            <Search className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted-foreground" />
            <Input type="search" aria-label="Search workflows" placeholder="Search" className="pl-8" value={search} onChange={(e) => setSearch(e.target.value)} />
          </div>
          <Button onClick={openFiles} disabled={add.isPending} refused={refused}>
            <FileUp /> Add workflow
          </Button>
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            data-testid="file-picker"
            onChange={(e) => {
              void addFiles([...(e.target.files ?? [])]);
              e.target.value = "";
            }}
          />
        </div>
        {add.error !== null && (
          <div role="alert" className="flex items-start gap-3 rounded-lg border border-destructive/30 bg-card p-3">
            <div className="min-w-0 flex-1">
              <ProblemView problem={problemOf(add.error)} />
            </div>
            <Button variant="ghost" size="sm" onClick={() => add.reset()}>
              Dismiss
            </Button>
          </div>
        )}
        {isPending ? (
          <Loading />
        ) : error !== null ? (
          <LoadError error={error} retry={refetch} />
        ) : data.length === 0 ? (
          <EmptyState
            icon={Layers}
            title="No workflows yet"
            action={
              <>
                <Button onClick={() => void addFiles(["example"])} disabled={add.isPending} refused={refused}>
                  <Sparkles /> Start with the example
                </Button>
                <Button variant="outline" onClick={openFiles} refused={refused}>
                  <FileUp /> Choose a file
                </Button>
              </>
            }
          >
            <p>
              Drop a file here: what ComfyUI saves (JSON), or a picture or video that it made. pycomfy pins everything that
              the workflow needs, and builds an image that stays the same.
            </p>
            <p className="mt-2">The example makes a picture without a GPU and without models.</p>
          </EmptyState>
        ) : shown.length === 0 ? (
          <EmptyState icon={Search} title={`Nothing is called “${search}”`}>
            {count(data.length, "workflow")} have other names.
          </EmptyState>
        ) : (
          <WorkflowTable workflows={shown} sort={sort} onSort={setSort} />
        )}
        {data !== undefined && data.length > 0 && refused === undefined && (
          <p className="text-[0.84rem] text-muted-foreground">
            Drop a file anywhere here to add it: JSON, or a picture or video that ComfyUI made.{" "}
            <button type="button" className="text-info underline-offset-4 hover:underline" onClick={() => void addFiles(["example"])}>
              Add the example
            </button>
          </p>
        )}
      </div>
    </DropZone>
  );
}
