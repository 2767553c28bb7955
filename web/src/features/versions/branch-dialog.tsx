import { GitBranch } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { useLocation } from "wouter";
import { problemOf } from "@/api/client";
import { useBranch } from "@/api/version-queries";
import { ProblemView } from "@/components/problem-view";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";

/** Begins a workflow with the history of a version. */
export function BranchDialog({ name, version, onClose }: { name: string; version: number; onClose: () => void }) {
  const id = useId();
  const [, navigate] = useLocation();
  const [branch, setBranch] = useState(`${name}-next`);
  const begin = useBranch(name, version);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const made = await begin.mutateAsync({ name: branch }).catch(() => null);
    if (made !== null) navigate(`/workflows/${made.name}/graph`);
  };
  return (
    <Dialog title={`Branch from version ${version}`} description="To try something else at the same time." onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} className="contents">
        <DialogBody>
          <div>
            <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
              Name of the new workflow
            </label>
            <Input id={id} value={branch} data-first spellCheck={false} maxLength={100} onChange={(e) => setBranch(e.target.value)} />
          </div>
          <ul className="list-disc space-y-1 pl-5 text-[0.88rem] [overflow-wrap:anywhere]">
            <li>
              {branch || "It"} begins with {version === 1 ? "version 1" : `the versions 1 to ${version}`} of {name}, and goes on from there.
            </li>
            <li>{name} stays as it is. What either changes can be merged into the other.</li>
            <li>Nothing is copied or built. Its first build is a new version, since an image has its workflow's name.</li>
          </ul>
          {begin.error !== null && (
            <div role="alert" className="rounded-md border border-destructive/30 p-3">
              <ProblemView problem={problemOf(begin.error)} />
            </div>
          )}
        </DialogBody>
        <DialogFooter>
          <Button variant="ghost" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" disabled={branch === "" || begin.isPending}>
            <GitBranch /> Branch
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}
