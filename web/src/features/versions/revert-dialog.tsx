import { useQuery } from "@tanstack/react-query";
import { History } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { problemOf } from "@/api/client";
import { revertPlanQuery, useRevert } from "@/api/version-queries";
import { ProblemView } from "@/components/problem-view";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { Planned } from "./planned-version";

type Props = { name: string; version: number; newest: number; onClose: () => void };

/** Makes an older version the newest again, and says first what that changes. */
export function RevertDialog({ name, version, newest, onClose }: Props) {
  const id = useId();
  const { data: plan, error, refetch, isPending } = useQuery(revertPlanQuery(name, version));
  const revert = useRevert(name, version);
  const [message, setMessage] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await revert.mutateAsync({ message }).catch(() => null);
    if (done !== null) onClose();
  };
  const between = newest - version === 1 ? `Version ${newest} stays` : `The versions ${version + 1} to ${newest} stay`;
  return (
    <Dialog title={`Revert to version ${version}`} description={`${name} becomes again what it was.`} onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} className="contents">
        <DialogBody>
          <section aria-label="What will happen" className="min-h-24">
            {isPending ? (
              <Loading rows={3} />
            ) : error !== null ? (
              <LoadError error={error} retry={refetch} />
            ) : plan.state === "same" ? (
              <p>The newest version is the same already.</p>
            ) : (
              <Planned
                plan={plan}
                lines={[`Version ${plan.version} is made, with the files of version ${version}. Its image exists where that one's does: nothing is built.`, `${between}: nothing is taken back.`]}
              />
            )}
          </section>
          <div>
            <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
              Why <span className="font-normal text-muted-foreground">(may stay empty)</span>
            </label>
            <Input id={id} value={message} maxLength={2000} placeholder={`revert to ${name}@${version}`} onChange={(e) => setMessage(e.target.value)} />
          </div>
          {revert.error !== null && (
            <div role="alert" className="rounded-md border border-destructive/30 p-3">
              <ProblemView problem={problemOf(revert.error)} />
            </div>
          )}
        </DialogBody>
        <DialogFooter>
          <Button variant="ghost" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" disabled={plan?.state !== "new" || revert.isPending}>
            <History /> Revert
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}
