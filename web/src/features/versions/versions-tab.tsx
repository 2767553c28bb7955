import { useQuery } from "@tanstack/react-query";
import { GitCommitVertical, RotateCcw, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { versionsQuery } from "@/api/queries";
import type { LogEntry, WorkflowEntry } from "@/api/schema";
import { Copyable } from "@/components/copy-button";
import { EmptyState, LoadError, Loading } from "@/components/states";
import { Button } from "@/components/ui/button";
import { formatAgo, formatSize, formatTime, shortDigest } from "@/lib/format";
import { cn } from "@/lib/cn";
import { parsePair } from "@/features/compare/compare";
import { DiffView } from "./diff-view";
import { RestoreDialog } from "./restore-dialog";
import { VerifyDialog } from "./verify-dialog";

/** The versions of a workflow, newest first; two of them can be compared. */
export default function VersionsTab({ workflow, id }: { workflow: WorkflowEntry; id: string | undefined }) {
  const [, navigate] = useLocation();
  const { data: versions, error, refetch, isPending } = useQuery(versionsQuery(workflow.name));
  const [asked, setAsked] = useState<Asked | null>(null);
  const pair = parsePair(id);
  if (isPending) return <Loading className="p-4 md:p-6" />;
  if (error !== null) {
    return (
      <div className="p-4 md:p-6">
        <LoadError error={error} retry={refetch} />
      </div>
    );
  }
  if (versions.length === 0) {
    return (
      <div className="mx-auto w-full max-w-6xl p-4 md:p-6">
        <EmptyState icon={GitCommitVertical} title="No versions yet">
          Each build that changes something becomes a version. It can be compared, and restored after its repositories are gone.
        </EmptyState>
      </div>
    );
  }
  const base = `/workflows/${workflow.name}`;
  const setPair = (next: [number, number] | null) => navigate(next === null ? `${base}/versions` : `${base}/versions/${next[0]}..${next[1]}`, { replace: true });
  const compare = (version: number) => setPair(pair?.[1] === version ? null : [Math.max(1, version - 1), version]);
  const dialog = { name: workflow.name, version: asked?.version ?? 0, onClose: () => setAsked(null), onStarted: (started: string) => navigate(`${base}/builds/${started}`) };
  return (
    <div className="mx-auto w-full max-w-6xl space-y-4 p-4 md:p-6">
      <ol className="relative space-y-2">
        {versions.map((one) => (
          <li key={one.version}>
            <VersionRow entry={one} compared={pair?.[1] === one.version} onCompare={one.version > 1 ? () => compare(one.version) : null} onAsk={(what) => setAsked({ what, version: one.version })} />
            {pair !== null && pair[1] === one.version && (
              <DiffView name={workflow.name} versions={versions} pair={pair} onChange={setPair} />
            )}
          </li>
        ))}
      </ol>
      {asked?.what === "restore" && <RestoreDialog {...dialog} />}
      {asked?.what === "verify" && <VerifyDialog {...dialog} />}
    </div>
  );
}

type Asked = { what: "restore" | "verify"; version: number };

type RowProps = {
  entry: LogEntry;
  compared: boolean;
  onCompare: (() => void) | null;
  onAsk: (what: Asked["what"]) => void;
};

function VersionRow({ entry, compared, onCompare, onAsk }: RowProps) {
  // Without a message of a person it is the summary itself.
  const all = entry.summary ?? [];
  const summary = all.join("; ") === entry.message ? [] : all;
  return (
    <article className={cn("rounded-lg border bg-card px-3 py-2.5", compared && "rounded-b-none")}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <span className="w-10 text-base font-semibold tabular-nums">v{entry.version}</span>
        <div className="min-w-0 flex-1 basis-56">
          <p className="truncate">{entry.message || "no message"}</p>
          <p className="flex flex-wrap items-center gap-x-2 text-[0.82rem] text-muted-foreground">
            <time dateTime={entry.created_at} title={formatTime(entry.created_at)}>
              {formatAgo(entry.created_at)}
            </time>
            <span>ComfyUI {entry.comfyui_version}</span>
            {entry.size != null && <span>{formatSize(entry.size)}</span>}
            {entry.manifest_digest != null && <Copyable text={entry.manifest_digest} shown={shortDigest(entry.manifest_digest)} label="the image's digest" />}
          </p>
        </div>
        <div className="flex flex-wrap gap-1.5">
          {onCompare !== null && (
            <Button variant={compared ? "secondary" : "outline"} size="sm" aria-expanded={compared} onClick={onCompare}>
              Compare
            </Button>
          )}
          <Button variant="outline" size="sm" onClick={() => onAsk("verify")} title="Build it again in an empty store, and compare every digest">
            <ShieldCheck /> Verify
          </Button>
          <Button variant="outline" size="sm" onClick={() => onAsk("restore")} title="As an image with the same digest, a ComfyUI folder, or a Nix project">
            <RotateCcw /> Restore
          </Button>
        </div>
      </div>
      {summary.length > 0 && (
        <ul className="mt-1.5 ml-13 list-disc space-y-0.5 pl-4 text-[0.84rem] text-muted-foreground marker:text-border">
          {summary.slice(0, 6).map((line, at) => (
            <li key={at} className="break-words">
              {line}
            </li>
          ))}
          {summary.length > 6 && <li>{summary.length - 6} more changes</li>}
        </ul>
      )}
      {entry.problem != null && <p className="mt-1 text-[0.84rem] text-warning">{entry.problem}</p>}
    </article>
  );
}
