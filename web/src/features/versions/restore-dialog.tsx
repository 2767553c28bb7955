import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useDeferredValue, useId, useState } from "react";
import { problemOf } from "@/api/client";
import { type RestoreForm, restorePlanQuery, sessionQuery } from "@/api/edit-queries";
import { type OperationRequest, useStartOperation } from "@/api/queries";
import type { PlannedRestore } from "@/api/schema";
import { useRefusal } from "@/api/session";
import { ProblemView } from "@/components/problem-view";
import { LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { count } from "@/lib/format";

const FORMS: [RestoreForm, string, string][] = [
  ["image", "Image", "the image itself, with the same digest"],
  ["folder", "ComfyUI folder", "ComfyUI, node packs and packages as files, to run without a container"],
  ["project", "Nix project", "the files from which Nix alone builds the image"],
];

type Props = { name: string; version: number; onClose: () => void; onStarted: (id: string) => void };

/** Says what restoring a version will do, and starts it. */
export function RestoreDialog({ name, version, onClose, onStarted }: Props) {
  const id = useId();
  const [form, setForm] = useState<RestoreForm>("image");
  const [typed, setFolder] = useState<string | null>(null);
  const [offline, setOffline] = useState(false);
  const { data: session } = useQuery(sessionQuery);
  const folder = typed ?? (session === undefined ? "" : `${session.data}/restored/${name}-${version}${form === "project" ? "-project" : ""}`);
  const asked = useDeferredValue(folder);
  const { data: plan, error, refetch, isPending, isFetching } = useQuery(restorePlanQuery(name, version, form, asked, offline));
  const start = useStartOperation();
  // Folders of the machine are written with its owner's rights.
  const notOwner = useRefusal("owner");
  const relative = form !== "image" && !folder.startsWith("/");

  const restore = async () => {
    const request: OperationRequest = { kind: "restore", workflow: `${name}@${version}`, form, folder: form === "image" ? null : folder, offline };
    const operation = await start.mutateAsync(request).catch(() => null);
    if (operation !== null) onStarted(operation.id);
  };
  return (
    <Dialog title={`Restore version ${version}`} description={`${name}, as it was. The newest version stays as it is.`} onClose={onClose}>
      <DialogBody>
        <fieldset>
          <legend className="mb-1 text-[0.84rem] font-medium">As</legend>
          <div className="space-y-1">
            {FORMS.map(([value, label, note]) => (
              <label key={value} className="flex items-baseline gap-2 rounded-md border px-2.5 py-1.5 has-checked:border-ring has-checked:bg-accent/50">
                <input type="radio" name={`${id}-form`} className="translate-y-0.5 accent-primary" disabled={value !== "image" && notOwner !== undefined} checked={form === value} onChange={() => setForm(value)} />
                <span className="w-28 shrink-0 font-medium">{label}</span>
                <span className="min-w-0 text-[0.84rem] text-muted-foreground">{value === "image" ? note : (notOwner ?? note)}</span>
              </label>
            ))}
          </div>
        </fieldset>
        {form !== "image" && (
          <div>
            <label htmlFor={`${id}-folder`} className="mb-1 block text-[0.84rem] font-medium">
              Into the folder, which must be new or empty
            </label>
            <Input id={`${id}-folder`} value={folder} spellCheck={false} aria-invalid={relative} onChange={(e) => setFolder(e.target.value)} />
            {relative && <p className="mt-0.5 text-[0.8rem] text-destructive">a path of the machine that serves this page, from /</p>}
          </div>
        )}
        <label className="flex items-baseline gap-2 text-[0.88rem]">
          <input type="checkbox" className="translate-y-0.5 accent-primary" checked={offline} onChange={(e) => setOffline(e.target.checked)} />
          Offline: from the archive and this machine's store alone
        </label>
        <section aria-label="What will happen" aria-busy={isFetching} className="min-h-24">
          <h3 className="mb-1 text-[0.84rem] font-medium">What will happen</h3>
          {relative ? null : isPending || isFetching ? <Loading rows={3} /> : error !== null ? <LoadError error={error} retry={refetch} /> : <Plan plan={plan} form={form} offline={offline} />}
        </section>
        {start.error !== null && (
          <div role="alert" className="rounded-md border border-destructive/30 p-3">
            <ProblemView problem={problemOf(start.error)} />
          </div>
        )}
      </DialogBody>
      <DialogFooter>
        <Button variant="ghost" onClick={onClose}>
          Leave it
        </Button>
        <Button disabled={plan === undefined || relative || isFetching || error !== null || start.isPending} onClick={() => void restore()}>
          <RotateCcw /> Restore
        </Button>
      </DialogFooter>
    </Dialog>
  );
}

function Plan({ plan, form, offline }: { plan: PlannedRestore; form: RestoreForm; offline: boolean }) {
  const missing = plan.missing_models ?? [];
  const from = offline ? "the archive and this machine's store" : "the archive, this machine's store, and the network for what neither has";
  const lines: string[] = [];
  if (form === "image") {
    lines.push(plan.built === true ? "The image is in the Nix store already: nothing is built." : `Nix builds the image for ${plan.platform ?? "this machine"} from ${count(plan.sources ?? 0, "source")}, out of ${from}.`);
    lines.push(plan.manifest_digest == null ? "No image of it was recorded to compare with." : `It must have the digest ${plan.manifest_digest}; else it fails.`);
  } else if (form === "folder") {
    lines.push(`ComfyUI, ${count((plan.packs ?? []).length, "node pack")} and ${count(plan.packages ?? 0, "Python package")} are written to ${plan.folder}, out of ${from}.`);
    for (const step of plan.steps ?? []) lines.push(`A step of its build is not run: ${step.command} in ${step.pack}.`);
  } else {
    lines.push(`Workflow, lock and Nix files are written to ${plan.folder}. Nothing is built.`);
  }
  if (missing.length > 0) lines.push(`${count(missing.length, "model")} not on this machine: ${missing.map((one) => one.place).join(", ")}.`);
  return (
    <ul className="list-disc space-y-1 pl-5 text-[0.88rem] [overflow-wrap:anywhere]">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
