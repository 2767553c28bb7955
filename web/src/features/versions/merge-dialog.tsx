import { useQuery } from "@tanstack/react-query";
import { GitMerge } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { problemOf } from "@/api/client";
import { workflowsQuery } from "@/api/queries";
import type { HistoryEntry } from "@/api/schema";
import { mergePlanQuery, useMerge } from "@/api/version-queries";
import { ProblemView } from "@/components/problem-view";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { NativeSelect } from "@/components/ui/input";
import { askFor, type Choices } from "./choices";
import { Conflicts } from "./conflicts";
import { Planned } from "./planned-version";

/** `first` is the version that is chosen at first, "" for none. */
type Props = { name: string; first: string; entries: readonly HistoryEntry[]; onClose: () => void };

/** Takes the changes of another workflow; what both changed is shown by node, and a side is chosen. */
export function MergeDialog({ name, first, entries, onClose }: Props) {
  const id = useId();
  const { data: workflows = [] } = useQuery(workflowsQuery);
  const near = [...new Set(entries.flatMap((one) => one.newest_of))].filter((one) => one !== name);
  const far = workflows.filter((one) => one.versions > 0 && one.name !== name && !near.includes(one.name)).map((one) => one.name);
  const [chosen, setOther] = useState(first);
  const other = chosen || (near[0] ?? "");
  const [choices, setChoices] = useState<Choices>({});
  const plain = useQuery(mergePlanQuery(name, { other, prefer: null, nodes: {} }));
  const conflicts = plain.data?.conflicts ?? [];
  const asked = conflicts.length === 0 ? null : askFor(conflicts, choices);
  const request = { other, ...(asked ?? { prefer: null, nodes: {} }) };
  const settled = useQuery({ ...mergePlanQuery(name, request), enabled: asked !== null });
  const { data: plan, error, isLoading, refetch } = asked === null ? plain : settled;
  const merge = useMerge(name);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await merge.mutateAsync(request).catch(() => null);
    if (done !== null) onClose();
  };
  const named = [first, ...near, ...far].filter((one) => one !== "");
  return (
    <Dialog title={`Merge into ${name}`} description="What the other one changed since the two parted becomes a new version here." onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} className="contents">
        <DialogBody>
          {named.length === 0 ? (
            <p>There is no other workflow with versions. “Branch” begins one.</p>
          ) : (
            <div>
              <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
                Changes of
              </label>
              <NativeSelect
                id={id}
                value={other}
                onChange={(e) => {
                  setOther(e.target.value);
                  setChoices({});
                }}
              >
                {other === "" && <option value="">choose a workflow</option>}
                {[...new Set(named)].map((one) => (
                  <option key={one} value={one}>
                    {one}
                    {far.includes(one) ? " (shares no version)" : ""}
                  </option>
                ))}
              </NativeSelect>
            </div>
          )}
          {conflicts.length > 0 && <Conflicts conflicts={conflicts} here={name} there={other} choices={choices} onChoose={setChoices} />}
          {other !== "" && (
            <section aria-label="What will happen" className="min-h-16">
              {isLoading ? (
                <Loading rows={2} />
              ) : error !== null ? (
                <LoadError error={error} retry={refetch} />
              ) : plan?.state === "same" ? (
                <p>
                  {name} has all changes of {other} already.
                </p>
              ) : plan?.state === "new" ? (
                <Planned plan={plan} lines={[`Version ${plan.version} is made, with the changes of both. ${other} stays as it is.`, "It has no image yet: build it."]} />
              ) : (
                <p className="text-[0.88rem]">
                  {asked === null ? "Choose a side for each; or leave it, and change one of them first." : "The choices do not go together: take one side for more of it."}
                </p>
              )}
            </section>
          )}
          {merge.error !== null && (
            <div role="alert" className="rounded-md border border-destructive/30 p-3">
              <ProblemView problem={problemOf(merge.error)} />
            </div>
          )}
        </DialogBody>
        <DialogFooter>
          <Button variant="ghost" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" disabled={plan?.state !== "new" || merge.isPending}>
            <GitMerge /> Merge
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}
