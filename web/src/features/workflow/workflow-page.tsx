import { useQuery } from "@tanstack/react-query";
import { ChevronRight, FileQuestion, Hammer, TriangleAlert } from "lucide-react";
import { lazy, type ReactNode, Suspense } from "react";
import { Link, useLocation } from "wouter";
import { problemOf } from "@/api/client";
import { operationsQuery, useStartOperation, workflowQuery } from "@/api/queries";
import { useRefusal } from "@/api/session";
import type { WorkflowEntry } from "@/api/schema";
import { ErrorBoundary } from "@/components/error-boundary";
import { WorkflowState } from "@/components/state-badge";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { useDrafts } from "@/features/graph/drafts";
import { formatSize } from "@/lib/format";

const GraphTab = lazy(() => import("@/features/graph/graph-tab"));
const NeedsTab = lazy(() => import("@/features/needs/needs-tab"));
const VersionsTab = lazy(() => import("@/features/versions/versions-tab"));
const BuildsTab = lazy(() => import("@/features/builds/builds-tab"));
const InterfaceTab = lazy(() => import("@/features/interface/interface-tab"));
const RunTab = lazy(() => import("@/features/run/run-tab"));

const TABS = ["graph", "needs", "versions", "builds", "api", "run"] as const;
type Tab = (typeof TABS)[number];
const TITLES: Record<Tab, string> = { graph: "Graph", needs: "Needs", versions: "Versions", builds: "Builds", api: "API", run: "Run" };

function isTab(text: string | undefined): text is Tab {
  return TABS.some((tab) => tab === text);
}

type Props = { name: string; tab?: string | undefined; id?: string | undefined };

/** One workflow: what it is, what it needs, its versions, builds, API and runs. */
export default function WorkflowPage({ name, tab: given, id }: Props) {
  const [, navigate] = useLocation();
  const { data: workflow, error, refetch, isPending } = useQuery(workflowQuery(name));
  const unsaved = useDrafts((state) => Object.keys(state.drafts[name]?.edits ?? {}).length > 0);
  const tab: Tab = isTab(given) ? given : "graph";
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="mx-auto w-full max-w-3xl p-6">
        {problemOf(error).status === 404 ? (
          <EmptyState
            icon={FileQuestion}
            title={`There is no workflow “${name}”`}
            action={
              <Button asChild variant="outline">
                <Link href="/">All workflows</Link>
              </Button>
            }
          >
            It may have been removed or renamed.
          </EmptyState>
        ) : (
          <LoadError error={error} retry={refetch} />
        )}
      </div>
    );
  }
  const contents: Record<Tab, ReactNode> = {
    graph: <GraphTab workflow={workflow} />,
    needs: <NeedsTab name={name} />,
    versions: <VersionsTab workflow={workflow} id={id} />,
    builds: <BuildsTab workflow={workflow} id={id} />,
    api: <InterfaceTab workflow={workflow} />,
    run: <RunTab workflow={workflow} />,
  };
  return (
    <Tabs value={tab} onValueChange={(next) => navigate(`/workflows/${name}/${next}`)} className="min-h-0 flex-1" activationMode="manual">
      <Header workflow={workflow} />
      <TabsList className="sticky top-12 z-20 bg-background px-4 md:px-6" aria-label={`Parts of ${name}`}>
        {TABS.map((one) => (
          <TabsTrigger key={one} value={one}>
            {TITLES[one]}
            {one === "graph" && unsaved && <span role="img" className="size-1.5 rounded-full bg-warning" aria-label="changes that are not saved" title="changes that are not saved" />}
          </TabsTrigger>
        ))}
      </TabsList>
      <TabsContent value={tab} className="flex flex-col">
        <ErrorBoundary key={tab}>
          <Suspense fallback={<Loading className="p-4 md:p-6" />}>{contents[tab]}</Suspense>
        </ErrorBoundary>
      </TabsContent>
    </Tabs>
  );
}

function Header({ workflow }: { workflow: WorkflowEntry }) {
  const [, navigate] = useLocation();
  const start = useStartOperation();
  const refused = useRefusal("build");
  const { data: operations = [] } = useQuery(operationsQuery(workflow.name));
  const building = operations.find((one) => one.kind === "build" && (one.state === "running" || one.state === "waiting"));
  const build = async () => {
    const operation = await start.mutateAsync({ kind: "build", workflow: workflow.name, message: "", locked: false });
    navigate(`/workflows/${workflow.name}/builds/${operation.id}`);
  };
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5 px-4 pt-3 pb-1 md:px-6">
      <nav aria-label="Where you are" className="flex min-w-0 items-center gap-1">
        <Link href="/" className="rounded-sm text-muted-foreground outline-none hover:text-foreground focus-visible:ring-2 focus-visible:ring-ring">
          Workflows
        </Link>
        <ChevronRight className="size-4 shrink-0 text-muted-foreground" aria-hidden />
        <h1 className="truncate text-base font-semibold">{workflow.name}</h1>
      </nav>
      <WorkflowState state={workflow.state} />
      {workflow.version !== null && (
        <span className="hidden text-[0.84rem] text-muted-foreground sm:inline">
          version {workflow.version}
          {workflow.size !== null && ` · ${formatSize(workflow.size)}`}
        </span>
      )}
      <div className="flex-1" />
      {building !== undefined ? (
        <Button asChild variant="outline">
          <Link href={`/workflows/${workflow.name}/builds/${building.id}`}>Show the build</Link>
        </Button>
      ) : (
        <Button onClick={() => void build()} disabled={start.isPending} refused={refused}>
          <Hammer /> {workflow.versions === 0 ? "Build" : "Build again"}
        </Button>
      )}
      {workflow.problem !== null && (
        <p className="flex w-full items-center gap-1.5 text-[0.84rem] text-warning">
          <TriangleAlert className="size-4" /> {workflow.problem}
        </p>
      )}
    </div>
  );
}
