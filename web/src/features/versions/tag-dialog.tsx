import { Tag, X } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { problemOf } from "@/api/client";
import type { HistoryEntry } from "@/api/schema";
import { useTag, useUntag } from "@/api/version-queries";
import { ProblemView } from "@/components/problem-view";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog, DialogBody, DialogFooter } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";

type Props = { name: string; version: number; entries: readonly HistoryEntry[]; onClose: () => void };

/** The tags of a version, and a new one; says which version has it now. */
export function TagDialog({ name, version, entries, onClose }: Props) {
  const id = useId();
  const [tag, setTag] = useState("");
  const give = useTag(name, version);
  const take = useUntag(name);
  const holder = entries.find((one) => one.tags.includes(`${name}@${tag}`));
  const own = entries.find((one) => one.name === name && one.version === version);
  const tags = (own?.tags ?? []).filter((one) => one.startsWith(`${name}@`)).map((one) => one.slice(name.length + 1));
  const moves = holder !== undefined && holder !== own;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await give.mutateAsync({ tag, force: moves }).catch(() => null);
    if (done !== null) onClose();
  };
  const error = give.error ?? take.error;
  return (
    <Dialog title={`Tags of version ${version}`} description={`A tag names a version wherever its number does: ${name}@stable.`} onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} className="contents">
        <DialogBody>
          {tags.length > 0 && (
            <ul aria-label="Its tags" className="flex flex-wrap gap-1.5">
              {tags.map((one) => (
                <li key={one}>
                  <Badge variant="info" className="pr-0.5">
                    {one}
                    <Button variant="ghost" size="icon-sm" aria-label={`Remove the tag ${one}`} title="Remove the tag; the version stays" disabled={take.isPending} onClick={() => take.mutate(one)}>
                      <X />
                    </Button>
                  </Badge>
                </li>
              ))}
            </ul>
          )}
          <div>
            <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
              New tag
            </label>
            <Input id={id} value={tag} data-first spellCheck={false} maxLength={100} onChange={(e) => setTag(e.target.value)} />
          </div>
          <p className="min-h-6 text-[0.88rem]" aria-live="polite">
            {tag !== "" && (holder === own && own !== undefined && tags.includes(tag) ? "It has this tag already." : moves ? `${name}@${tag} is version ${holder.version} now: the tag is moved to version ${version}.` : `From then on, ${name}@${tag} is version ${version}.`)}
          </p>
          {error !== null && (
            <div role="alert" className="rounded-md border border-destructive/30 p-3">
              <ProblemView problem={problemOf(error)} />
            </div>
          )}
        </DialogBody>
        <DialogFooter>
          <Button variant="ghost" onClick={onClose}>
            Close
          </Button>
          <Button type="submit" disabled={tag === "" || tags.includes(tag) || give.isPending}>
            <Tag /> {moves ? "Move the tag" : "Give the tag"}
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}
