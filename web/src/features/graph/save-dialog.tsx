import { useQuery } from "@tanstack/react-query";
import { ArrowRight, Hammer } from "lucide-react";
import { useId, useMemo, useState } from "react";
import { useLocation } from "wouter";
import { problemOf } from "@/api/client";
import { editPlanQuery, useEditValues } from "@/api/edit-queries";
import { useStartOperation } from "@/api/queries";
import type { EditResult } from "@/api/schema";
import { ProblemView } from "@/components/problem-view";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { type Draft, useDrafts } from "./drafts";

type Props = { workflow: string; draft: Draft; onClose: () => void };

/** Says what saving the changes will do, and does it. */
export function SaveDialog({ workflow, draft, onClose }: Props) {
  const [, navigate] = useLocation();
  const id = useId();
  const body = useMemo(
    () => ({ base: draft.base, changes: Object.values(draft.edits).map(({ graph, node, key, text }) => ({ graph, node, key, text })) }),
    [draft],
  );
  const { data: plan, error, refetch, isPending } = useQuery(editPlanQuery(workflow, body));
  const save = useEditValues(workflow);
  const start = useStartOperation();
  const discard = useDrafts((state) => state.discard);
  const [message, setMessage] = useState("");
  const failure = save.error ?? start.error;
  const busy = save.isPending || start.isPending;

  const finish = async (build: boolean) => {
    const saved = await save.mutateAsync(body).catch(() => null);
    if (saved === null) return;
    discard(workflow);
    if (!build) return onClose();
    const operation = await start.mutateAsync({ kind: "build", workflow, message, locked: false }).catch(() => null);
    if (operation !== null) navigate(`/workflows/${workflow}/builds/${operation.id}`);
  };
  return (
    <Dialog title={plan === undefined ? "Save as a new version" : `Save as version ${plan.version}`} description={`What changes in ${workflow}, and what will happen.`} onClose={onClose}>
        <DialogBody>
          {isPending ? <Loading rows={4} /> : error !== null ? <LoadError error={error} retry={refetch} /> : <Plan plan={plan} />}
          <div>
            <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
              What this version is about
            </label>
            <Input id={id} value={message} maxLength={2000} placeholder="as the changes say, if empty" onChange={(e) => setMessage(e.target.value)} />
          </div>
          {failure !== null && (
            <div role="alert" className="rounded-md border border-destructive/30 p-3">
              <ProblemView problem={problemOf(failure)} />
            </div>
          )}
        </DialogBody>
        <DialogFooter>
          <Button variant="ghost" onClick={onClose}>
            Go on editing
          </Button>
          <Button variant="outline" disabled={plan === undefined || busy} onClick={() => void finish(false)}>
            Save without building
          </Button>
          <Button disabled={plan === undefined || busy} onClick={() => void finish(true)}>
            <Hammer /> Save and build
          </Button>
        </DialogFooter>
    </Dialog>
  );
}

function Plan({ plan }: { plan: EditResult }) {
  return (
    <>
      <ul className="overflow-hidden rounded-md border bg-card" aria-label="Changes">
        {plan.changes.map((one) => (
          <li key={`${one.graph}-${one.node}-${one.name}`} className="flex min-w-0 items-baseline gap-2 border-b px-2.5 py-1 text-[0.86rem] last:border-0">
            <span className="min-w-0 basis-2/5 break-words">
              {one.title} <span className="text-muted-foreground">· {one.name}</span>
            </span>
            <span className="line-clamp-3 min-w-0 flex-1 text-right break-words text-muted-foreground">{one.old === "" ? "–" : one.old}</span>
            <ArrowRight className="size-3 shrink-0 self-center text-muted-foreground" aria-label="becomes" />
            <span className="line-clamp-3 min-w-0 flex-1 break-words">{one.new === "" ? "–" : one.new}</span>
          </li>
        ))}
      </ul>
      <ol className="list-decimal space-y-1 pl-5 text-[0.88rem]">
        <li>The workflow in its working folder gets these values. Nothing else in it changes.</li>
        <li>
          {plan.keeps_lock
            ? "The lock keeps every pin: it needs the same node packs, packages and models."
            : `The build locks it again, because ${plan.why}. Pins stay where they can.`}
        </li>
        <li>
          {plan.keeps_lock ? "The build makes the layer with the prompt again, and takes all others as they are." : "The build makes the layers that differ."} The image becomes version{" "}
          {plan.version}; earlier versions stay as they are.
        </li>
      </ol>
    </>
  );
}
