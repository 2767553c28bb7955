import { Compass } from "lucide-react";
import { lazy, Suspense } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { ErrorBoundary } from "@/components/error-boundary";
import { Shell } from "@/components/shell";
import { EmptyState, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { PaletteButton } from "@/features/palette/palette-button";
import { WorkflowsPage } from "@/features/workflows/workflows-page";

const SystemPage = lazy(() => import("@/features/system/system-page"));
const MachineOperation = lazy(() => import("@/features/builds/machine-operation"));
const WorkflowPage = lazy(() => import("@/features/workflow/workflow-page"));

type Params = { name: string; tab?: string | undefined; id?: string | undefined };

export function App() {
  const [path] = useLocation();
  return (
    <Shell commands={<PaletteButton />}>
      <ErrorBoundary key={path.split("/")[1]}>
        <Suspense fallback={<Loading className="p-4" />}>
          <Switch>
            <Route path="/">
              <WorkflowsPage />
            </Route>
            <Route path="/system">
              <SystemPage />
            </Route>
            <Route path="/system/operations/:id">{({ id }: { id: string }) => <MachineOperation id={id} />}</Route>
          <Route path="/workflows/:name/:tab?/:id?">
              {(params: Params) => <WorkflowPage key={params.name} name={decodeURIComponent(params.name)} tab={params.tab} id={params.id} />}
            </Route>
            <Route>
              <div className="mx-auto w-full max-w-3xl p-6">
                <EmptyState icon={Compass} title="There is no such page" action={<Button asChild variant="outline"><Link href="/">All workflows</Link></Button>}>
                  The address may be mistyped, or of another version of pycomfy.
                </EmptyState>
              </div>
            </Route>
          </Switch>
        </Suspense>
      </ErrorBoundary>
    </Shell>
  );
}
